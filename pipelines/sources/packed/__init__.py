"""Files that hold many pictures: zip, tar and Parquet, and folders of such shards."""
