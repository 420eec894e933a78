"""The pages of the officers, under /petugas/. Each view passes `request.actor` on; the services decide what it may."""
