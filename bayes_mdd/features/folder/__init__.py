"""Reading and writing of the folder ``features/`` of a cohort."""
