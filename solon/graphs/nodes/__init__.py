"""The nodes of the recipes, one file each. A node gathers its own parallel calls and commits once. Must never import
recipes or the runner."""
