"""Azure Data Factory: the pipelines that land the sources of ``sources.yaml``, as the JSON of a factory.

    python -m infra.adf            write the files of this folder anew

Read ``pipelines`` first. ``netflix_dagster.landing.control`` says which sources take part, ``parts`` what the pipelines
stand on; ``template`` makes one ARM template of all of it. What was tried and what not: docs/data-factory.md.
"""
