"""Readers of data sets that come as tables or archives: parquet, arrow, webdataset tars, CSV."""
