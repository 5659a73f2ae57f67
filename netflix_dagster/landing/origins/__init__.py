"""Where the files of a source come from, when nobody lands them: a URL, a git repository, another storage, Kaggle.

``model`` is what ``sources.yaml`` says of an origin, ``fetching`` makes deliveries of what lies there.
"""
