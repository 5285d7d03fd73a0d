// A new label, added without leaving the session.
import { showNotice } from "../notice.js";

export const addLabel = async (root, form, labelKeys) => {
  const response = await fetch(`/api/v1/projects/${root.dataset.project}/labels`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ name: form.elements.name.value }),
  }).catch(() => null);
  if (!response?.ok) {
    const problem = await response?.json().catch(() => null);
    showNotice(problem?.title ?? "The label was not added: the server cannot be reached.", "bad");
    return;
  }
  form.reset();
  await labelKeys.renew();
};
