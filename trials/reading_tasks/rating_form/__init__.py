"""Any image, and a form of the protocol's."""
