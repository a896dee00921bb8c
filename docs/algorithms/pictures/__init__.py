"""The pictures of the pages about algorithms, one file a picture; `draw_pictures` writes them."""
