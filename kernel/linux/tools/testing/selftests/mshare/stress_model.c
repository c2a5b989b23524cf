// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_stress: what each page has to hold; see stress.h.
 */
#include "stress.h"

static struct page *page_of(int object, unsigned long nr)
{
	return &shared->pages[object][nr];
}

bool page_lock(int object, unsigned long nr, unsigned int owner)
{
	__u32 none = 0;

	return __atomic_compare_exchange_n(&page_of(object, nr)->owner, &none,
					   owner + 1, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void page_unlock(int object, unsigned long nr)
{
	__atomic_store_n(&page_of(object, nr)->owner, 0, __ATOMIC_SEQ_CST);
}

void page_pattern(int object, unsigned long nr, __u32 version, __u64 *words)
{
	__u64 i, base = (__u64)object << 60 | nr << 44 | (__u64)version << 10;

	for (i = 0; i < NR_WORDS; i++)
		words[i] = version ? (base | i) * 0x9e3779b97f4a7c15ULL : 0;
}

char *page_plain(int object, unsigned long nr)
{
	return objects[object].plain + nr * objects[object].page_size;
}

void page_check(int object, unsigned long nr, const __u64 *words,
		const char *how)
{
	__u64 wanted[NR_WORDS];
	unsigned long i;

	page_pattern(object, nr, page_of(object, nr)->version, wanted);
	__atomic_add_fetch(&shared->done, 1, __ATOMIC_RELAXED);
	for (i = 0; i < NR_WORDS; i++) {
		if (words[i] == wanted[i])
			continue;
		fail("object %d page %lu word %lu, %s: %#llx, not %#llx (version %u)",
		     object, nr, i, how, words[i], wanted[i],
		     page_of(object, nr)->version);
		return;
	}
}

__u32 page_begin(int object, unsigned long nr, bool zero)
{
	struct page *page = page_of(object, nr);

	page->pending = zero ? 0 : ++page->last;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return page->pending;
}

void page_commit(int object, unsigned long nr)
{
	struct page *page = page_of(object, nr);

	__atomic_store_n(&page->version, page->pending, __ATOMIC_SEQ_CST);
}

static void page_repair(int object, unsigned long nr)
{
	struct page *page = page_of(object, nr);
	__u64 before[NR_WORDS], after[NR_WORDS];
	__u64 *words = (__u64 *)page_plain(object, nr);
	unsigned long i;

	page_pattern(object, nr, page->version, before);
	page_pattern(object, nr, page->pending, after);
	for (i = 0; i < NR_WORDS; i++) {
		if (words[i] == before[i] || words[i] == after[i])
			continue;
		fail("object %d page %lu word %lu after a kill: %#llx, neither %#llx nor %#llx",
		     object, nr, i, words[i], before[i], after[i]);
		return;
	}
	/* Settled first: who repairs may be killed as well. */
	memcpy(words, after, PAGE_SZ);
	page_commit(object, nr);
	page_begin(object, nr, false);
	page_pattern(object, nr, page->pending, words);
	page_commit(object, nr);
	page_unlock(object, nr);
}

void pages_repair(unsigned int owner)
{
	unsigned long nr;
	int i;

	for (i = 0; i < NR_OBJECTS; i++) {
		const struct object *object = &objects[i];
		unsigned long last = object->pages - 1;

		/* Who truncates has the last page. */
		if (object->pages && object->fd >= 0 &&
		    page_of(i, last)->owner == owner + 1 &&
		    ftruncate(object->fd, object->pages * object->page_size))
			fail("object %d: ftruncate: %s", i, strerror(errno));
		for (nr = 0; nr < object->pages; nr++)
			if (page_of(i, nr)->owner == owner + 1)
				page_repair(i, nr);
	}
}
