"""Who is told what happened: in the page, by webhook, by e-mail."""
