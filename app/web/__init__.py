"""Everything the web layer shares: error handlers, templates, downloads."""
