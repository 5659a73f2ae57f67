"""Where a table is built. One entry point, ``build``, for every table and every place that builds one."""
