"""Files that need one another: a product and its stored form, and no others."""

import grimp
import networkx as nx
import pytest


@pytest.fixture(scope="module")
def imports() -> nx.DiGraph:
    """Who imports whom, also for types and in functions."""
    graph = grimp.build_graph("cellcoadd", cache_dir=None)
    return nx.DiGraph(
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    )


def circles_of(imports: nx.DiGraph) -> list[set[str]]:
    return [circle for circle in nx.strongly_connected_components(imports) if len(circle) > 1]


def test_a_product_and_its_stored_form_are_the_only_circles(imports: nx.DiGraph) -> None:
    """One door a product: it knows how it is stored, and nothing else points back up."""
    products = "cellcoadd.products"
    doors = [
        {f"{products}.{folder}.{product}", f"{products}.{folder}.stored"}
        for folder, product in (
            ("calibrated_image", "image"),
            ("warp", "warp"),
            ("cell_coadd", "coadd"),
        )
    ]
    assert sorted(circles_of(imports), key=sorted) == sorted(doors, key=sorted)


def test_a_circle_is_found(imports: nx.DiGraph) -> None:
    """A cell that imported the coadd for its type alone would be one."""
    changed = imports.copy()
    changed.add_edge("cellcoadd.products.cell_coadd.cell", "cellcoadd.products.cell_coadd.coadd")
    assert len(max(circles_of(changed), key=len)) > 2
