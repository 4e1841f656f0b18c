"""Labels as people have them: what a folder, table or label file says of recordings and images."""
