// Points on a canvas, by WebGL2: one draw call for each pane, whatever their number. Knows nothing of records.
const VERTEX = `#version 300 es
  in vec2 a_from; in vec2 a_to; in float a_style;
  uniform vec2 u_scale; uniform vec2 u_offset; uniform float u_moved; uniform float u_size;
  uniform vec4 u_colours[32];
  flat out int v_shape; out vec4 v_colour; out float v_size;
  void main() {
    int style = int(a_style + 0.5);
    int slot = style & 31;
    int state = style >> 5;
    gl_Position = vec4(mix(a_from, a_to, u_moved) * u_scale + u_offset, 0.0, 1.0);
    v_size = u_size * (state == 2 ? 1.5 : state == 0 || slot == 0 ? 0.75 : 1.15);
    gl_PointSize = v_size;
    v_colour = state == 0 ? vec4(u_colours[0].rgb, 0.3) : u_colours[slot];
    v_shape = state == 0 || slot == 0 || slot > 21 ? 0 : slot == 21 ? 5 : (slot - 1) % 5;
  }`;
// The shapes of static/css/labels.css: circle, square, diamond, triangle, ring; and a dash.
const FRAGMENT = `#version 300 es
  precision mediump float;
  flat in int v_shape; in vec4 v_colour; in float v_size;
  out vec4 colour;
  void main() {
    vec2 c = (gl_PointCoord - 0.5) * 2.0;
    float d = length(c) - 0.9;
    if (v_shape == 1) d = max(abs(c.x), abs(c.y)) - 0.78;
    if (v_shape == 2) d = abs(c.x) + abs(c.y) - 1.0;
    if (v_shape == 3) d = max(c.y - 0.8, abs(c.x) * 1.8 - c.y - 0.95) * 0.8;
    if (v_shape == 4) d = abs(length(c) - 0.65) - 0.27;
    if (v_shape == 5) d = max(abs(c.x) - 0.95, abs(c.y) - 0.35);
    float soft = 2.0 / v_size;
    float alpha = v_colour.a * (1.0 - smoothstep(-soft, soft * 0.5, d));
    if (alpha < 0.02) discard;
    colour = vec4(v_colour.rgb * alpha, alpha);
  }`;

const compiled = (gl, kind, source) => {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
};

const programOf = (gl) => {
  const program = gl.createProgram();
  gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
};

// null where the browser has no WebGL2.
export const createLayer = (canvas) => {
  const gl = canvas.getContext("webgl2", { antialias: false, alpha: true });
  const program = gl && programOf(gl);
  if (!program) return null;
  gl.useProgram(program);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const at = { scale: uniform("u_scale"), offset: uniform("u_offset"), moved: uniform("u_moved"), size: uniform("u_size"), colours: uniform("u_colours") };
  const bound = (name, size, kind) => {
    const buffer = gl.createBuffer();
    const place = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, kind, false, 0, 0);
    return buffer;
  };
  const from = bound("a_from", 2, gl.FLOAT);
  const to = bound("a_to", 2, gl.FLOAT);
  const style = bound("a_style", 1, gl.UNSIGNED_BYTE);
  // All rows, and few of them: what is drawn while one moves, where there is no graphics card.
  const orders = [gl.createBuffer(), gl.createBuffer()];
  const counts = [0, 0];
  const fill = (buffer, values) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  };
  return {
    largest: gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1],
    // Two positions of each point, (2n) float32 each; it is drawn `moved` of the way between them.
    place: (before, after) => {
      fill(from, before);
      fill(to, after);
    },
    // styles: n uint8, colour slot + 32 × state (0 grey, 1 plain, 2 strong); rows: who is drawn
    // first; few: some of them.
    paint: (styles, rows, few) => {
      fill(style, styles);
      [rows, few].forEach((each, at) => {
        gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, orders[at]);
        gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, each, gl.STATIC_DRAW);
        counts[at] = each.length;
      });
    },
    // colours: 32 × rgba in [0, 1].
    dye: (colours) => gl.uniform4fv(at.colours, colours),
    // shares: for each pane of the camera, how far its points have moved.
    draw: (camera, shares, size, isCoarse) => {
      gl.disable(gl.SCISSOR_TEST);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.enable(gl.SCISSOR_TEST);
      gl.uniform2f(at.scale, ...camera.clipScale());
      gl.uniform2f(at.offset, ...camera.clipOffset());
      gl.uniform1f(at.size, size);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, orders[Number(isCoarse)]);
      const ratio = canvas.width / canvas.clientWidth;
      shares.forEach((moved, pane) => {
        const { left, top, width, height } = camera.boxOf(pane);
        const box = [left, canvas.clientHeight - top - height, width, height].map((each) => Math.round(each * ratio));
        gl.viewport(...box);
        gl.scissor(...box);
        gl.uniform1f(at.moved, moved);
        gl.drawElements(gl.POINTS, counts[Number(isCoarse)], gl.UNSIGNED_INT, 0);
      });
    },
  };
};
