# SPDX-License-Identifier: PostgreSQL
# regress.mk - regress.so of PostgreSQL's regression tests, against the installed server.
MODULES = regress
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
