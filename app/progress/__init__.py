"""How far a project is, who and what brought it there, and which way of labeling pays."""
