"""Gold in Power BI: a semantic model and a report as a project of files, and what keeps the model fresh."""
