/* SPDX-License-Identifier: PostgreSQL */
/*
 * api.c - for api.t: what mshare.h and mshare(3) say of the functions, with one backend.
 *
 * Usage: api BACKEND; prints TAP.  Needs 8 huge pages.
 */
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

#include "snippet.h"

#define HUGE	(2 * MEGA)

static unsigned int (*version)(void);
static int (*query)(const void *, struct mshare_info *);
static int (*attachment)(unsigned int, struct mshare_info *);
static int (*region_stats)(const void *, struct mshare_region *);
static int (*stats)(struct mshare_counters *);
static int (*prefault)(const void *, uint64_t);
static const char *(*reason_text)(unsigned int);

static const char *backend;
static bool is_msharefs;
static int tests, failures;

static void ok(bool good, const char *what)
{
	failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
}

static bool fails(int result, int error)
{
	if (result == -1 && errno == error)
		return true;
	printf("# %d, errno %s\n", result, result == -1 ? strerrorname_np(errno) : "-");
	return false;
}

static struct mshare_info info_of(const void *addr)
{
	struct mshare_info info = { .size = sizeof(info) };

	if (query(addr, &info) != 0)
		info.size = 0;
	return info;
}

/* Kinds of memory, of SIZE bytes at offset MEGA if they have one. */
struct kind {
	const char *name;
	int flags;		/* of memfd_create() or mmap(), or for shmget() and shmat() */
	unsigned int info;
	const char *backends;	/* those that take it */
	char *(*map)(const struct kind *kind, int *id);
};

static char *map_anonymous(const struct kind *kind, int *id)
{
	*id = -1;
	/* The offset is nothing to anonymous memory. */
	return mmap(NULL, SIZE, RW, SHARED | kind->flags, -1, kind->flags != 0 ? 0 : (off_t)MEGA);
}

static char *map_memfd(const struct kind *kind, int *id)
{
	int fd = memfd_create("api", (unsigned int)kind->flags);
	char *memory;

	*id = -1;
	if (ftruncate(fd, (off_t)(SIZE + HUGE)) != 0)
		perror("ftruncate");
	memory = mmap(NULL, SIZE, RW, MAP_SHARED, fd, (off_t)(kind->flags != 0 ? HUGE : MEGA));
	close(fd);
	return memory;
}

static char *map_segment(const struct kind *kind, int *id)
{
	char *memory;

	*id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600 | (kind->flags & SHM_HUGETLB));
	memory = shmat(*id, NULL, kind->flags & SHM_RDONLY);
	shmctl(*id, IPC_RMID, NULL);
	return memory;
}

static const struct kind kinds[] = {
	{ "anonymous memory", 0, 0, "msharefs hugetlb thp", map_anonymous },
	{ "a memfd", 0, MSHARE_INFO_FILE, "msharefs thp", map_memfd },
	{ "a segment", 0, MSHARE_INFO_SYSV, "msharefs hugetlb thp", map_segment },
	{ "a segment to read", SHM_RDONLY, MSHARE_INFO_SYSV | MSHARE_INFO_READONLY, "msharefs hugetlb thp",
	  map_segment },
	{ "MAP_HUGETLB", MAP_HUGETLB, MSHARE_INFO_HUGETLB, "msharefs hugetlb", map_anonymous },
	{ "MFD_HUGETLB", MFD_HUGETLB, MSHARE_INFO_FILE | MSHARE_INFO_HUGETLB, "msharefs hugetlb", map_memfd },
	{ "SHM_HUGETLB", SHM_HUGETLB, MSHARE_INFO_SYSV | MSHARE_INFO_HUGETLB, "msharefs hugetlb", map_segment },
};

static bool takes(const struct kind *kind)
{
	return strstr(kind->backends, backend) != NULL;
}

/* Numbers of the process, and where the memory is. */
static bool told_of_view(const struct kind *kind, const struct mshare_info *info, const char *memory, int id)
{
	bool file = info->flags & MSHARE_INFO_FILE, huge = info->flags & MSHARE_INFO_HUGETLB;
	uint64_t offset = !file ? 0 : huge ? HUGE : MEGA;
	int prot = info->flags & MSHARE_INFO_READONLY ? PROT_READ : RW;

	return info->flags == kind->info && info->view_addr == (uintptr_t)memory && info->length == SIZE &&
	       strcmp(info->backend, backend) == 0 && info->reason == 0 && info->error == 0 &&
	       info->offset == offset && info->shmid == id && info->prot == prot &&
	       info->page_size == (huge || strcmp(backend, "hugetlb") == 0 ? HUGE : PAGE);
}

/* msharefs alone has them. */
static bool told_of_parts(const struct mshare_info *info, const char *memory)
{
	if (!is_msharefs)
		return info->shadow_addr == 0 && info->window_addr == 0 && info->region_bytes == 0;
	return mapping_at((void *)info->shadow_addr) == SIZE && mapping_at((void *)info->window_addr) == 512 * GIGA &&
	       info->region_bytes == 512 * GIGA && info->window_addr <= (uintptr_t)memory;
}

static bool told_of_ordinary(const struct mshare_info *info, const char *memory)
{
	return strcmp(info->backend, "none") == 0 && info->reason != 0 && info->reason < MSHARE_REASON_COUNT &&
	       info->view_addr == (uintptr_t)memory && info->length == SIZE && info->page_size == 0 &&
	       info->flags == 0 && info->shadow_addr == 0 && info->window_addr == 0 && info->region_bytes == 0 && info->shmid == -1;
}

static void describe(const struct kind *kind)
{
	int id;
	char *memory = kind->map(kind, &id);
	struct mshare_info info = info_of(memory + SIZE - 1);
	bool sysv = kind->info & MSHARE_INFO_SYSV;

	printf("# %s: flags %x, length %lu, pages %lu, offset %lu, shmid %d, prot %d, %s, reason %u\n", kind->name,
	       info.flags, info.length, info.page_size, info.offset, info.shmid, info.prot, info.backend, info.reason);
	ok(memory != MAP_FAILED && info.size == sizeof(info), kind->name);
	if (takes(kind))
		ok(told_of_view(kind, &info, memory, id) && told_of_parts(&info, memory), "is described");
	else
		ok(told_of_ordinary(&info, memory), "is ordinary");
	if ((sysv ? shmdt(memory) : munmap(memory, SIZE)) != 0)
		perror(kind->name);
	info.size = sizeof(info);
	/* An older mapping that is remembered may have been at the same address. */
	if (takes(kind))
		ok(query(memory, &info) == 0 ? strcmp(info.backend, "none") == 0 : errno == ENOENT,
		   "and unmapped, it is nothing");
	else
		ok(query(memory, &info) == 0, "and unmapped, it is remembered");
}

/* What each function fills, by the size that its caller knows. */
static char *view;

static int call_query(void *to) { return query(view, to); }
static int call_attachment(void *to) { return attachment(0, to); }
static int call_region_stats(void *to) { return region_stats(view, to); }
static int call_stats(void *to) { return stats(to); }

static bool untouched(const unsigned char *bytes, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (bytes[i] != 0xaa)
			return false;
	return true;
}

static bool size_works(int (*call)(void *), uint32_t asked, uint32_t oldest, uint32_t newest)
{
	unsigned char all[512], bytes[512];
	uint32_t got, wanted = asked < newest ? asked : newest;
	int result;

	memcpy(all, &newest, sizeof(newest));
	memset(bytes, 0xaa, sizeof(bytes));
	memcpy(bytes, &asked, sizeof(asked));
	result = call(bytes);
	memcpy(&got, bytes, sizeof(got));
	if (asked < oldest)
		return fails(result, EINVAL) && got == asked && untouched(bytes, sizeof(got), sizeof(bytes));
	return result == 0 && got == wanted && untouched(bytes, wanted, sizeof(bytes)) && call(all) == 0 &&
	       memcmp(bytes + sizeof(got), all + sizeof(got), wanted - sizeof(got)) == 0;
}

static void sizes(int (*call)(void *), size_t oldest, size_t newest, const char *what)
{
	const uint32_t more[] = { (uint32_t)newest + 1, (uint32_t)newest + 64, UINT32_MAX };
	bool good = true;

	for (uint32_t size = 0; size <= newest; size++)
		good = size_works(call, size, (uint32_t)oldest, (uint32_t)newest) && good;
	for (int i = 0; i < 3; i++)
		good = size_works(call, more[i], (uint32_t)oldest, (uint32_t)newest) && good;
	ok(good, what);
}

static void all_sizes(void)
{
	const size_t info = sizeof(struct mshare_info), oldest = offsetof(struct mshare_info, offset);
	struct mshare_region region = { .size = sizeof(region) };

	view = map_shared(SIZE);
	sizes(call_query, oldest, info, "mshare_query: every size");
	sizes(call_stats, sizeof(struct mshare_counters), sizeof(struct mshare_counters),
	      "mshare_stats: every size");
	if (takes(&kinds[0]))
		sizes(call_attachment, oldest, info, "mshare_attachment: every size");
	if (is_msharefs)
		sizes(call_region_stats, sizeof(region), sizeof(region), "mshare_region_stats: every size");
	else
		ok(fails(region_stats(view, &region), takes(&kinds[0]) ? ENOTSUP : ENOENT),
		   "mshare_region_stats: no region");
	ok(fails(region_stats(view + SIZE, &region), ENOENT) && fails(region_stats(NULL, &region), ENOENT),
	   "mshare_region_stats: no view");
	munmap(view, SIZE);
}

/* All of them can be counted through, and a child has the same. */
static bool count_through(char **views, unsigned int count)
{
	struct mshare_counters counters = { .size = sizeof(counters) };
	struct mshare_info info = { .size = sizeof(info) };
	unsigned int found = 0, index;

	for (index = 0; attachment(index, &info) == 0; index++)
		for (unsigned int i = 0; i < count; i++)
			found += info.view_addr == (uintptr_t)views[i];
	return errno == ENOENT && index == count && found == count && fails(attachment(UINT_MAX, &info), ENOENT) &&
	       stats(&counters) == 0 && counters.attached == count;
}

static void attachments(void)
{
	unsigned int count = takes(&kinds[0]) ? 5 : 0;
	char *views[5];
	int status;

	ok(count_through(NULL, 0), "no attachment");
	for (int i = 0; i < 5; i++)
		views[i] = map_shared(SIZE / 4);
	ok(count_through(views, count), "some attachments");
	fflush(stdout);
	if (fork() == 0)
		_exit(!count_through(views, count));
	wait(&status);
	ok(status == 0, "the same in a child");
	for (int i = 0; i < 5; i++)
		munmap(views[i], SIZE / 4);
	ok(count_through(NULL, 0), "no attachment any more");
}

/* The last 16, and longer than they are mapped. */
static void history(void)
{
	struct mshare_counters before = { .size = sizeof(before) }, after = before;
	struct mshare_info info = { .size = sizeof(info) };
	char *memory[17];
	bool good = true;

	ok(fails(query(NULL, &info), ENOENT) && fails(query(&info, &info), ENOENT), "mshare_query: nothing of ours");
	stats(&before);
	mlockall(MCL_FUTURE);
	for (int i = 0; i < 17; i++)
		memory[i] = map_shared(MEGA);
	munlockall();
	stats(&after);
	ok(after.fallback == before.fallback + 17 && after.redirected == before.redirected, "counted as ordinary");
	for (int i = 0; i < 17; i++)
		munmap(memory[i], MEGA);
	for (int i = 1; i < 17; i++) {
		info = info_of(memory[i] + MEGA - 1);
		good = good && info.view_addr == (uintptr_t)memory[i] && strcmp(info.backend, "none") == 0 &&
		       info.reason == MSHARE_REASON_LOCKED;
	}
	info.size = sizeof(info);
	ok(good && fails(query(memory[0], &info), ENOENT), "16 are remembered");
}

/* Contents stay, and what is there is there for all. */
static void prefaults(void)
{
	char *memory = map_shared(SIZE);
	unsigned char there[SIZE / PAGE];
	size_t resident = 0;

	memory[PAGE] = 5;
	ok(fails(prefault(memory + 1, PAGE), EINVAL) && fails(prefault(memory, 0), EINVAL), "mshare_prefault: EINVAL");
	ok(fails(prefault(memory, SIZE + PAGE), ENOENT) && fails(prefault(memory + SIZE, PAGE), ENOENT) &&
		   fails(prefault(memory - PAGE, SIZE), ENOENT) && fails(prefault(NULL, PAGE), ENOENT),
	   "mshare_prefault: ENOENT");
	if (takes(&kinds[0])) {
		ok(prefault(memory + HUGE, 100) == 0 && prefault(memory, SIZE) == 0, "mshare_prefault: works");
		mincore(memory, SIZE, there);
		for (size_t i = 0; i < SIZE / PAGE; i++)
			resident += there[i] & 1;
		ok(resident == SIZE / PAGE && memory[PAGE] == 5 && memory[0] == 0, "all of it is there, as it was");
	} else {
		ok(fails(prefault(memory, SIZE), ENOENT), "mshare_prefault: not of ordinary memory");
	}
	munmap(memory, SIZE);
}

/* A file of 4 MB, for which there is 1. */
static void prefault_too_much(void)
{
	char folder[] = "/tmp/mshare-snippet-XXXXXX", path[sizeof(folder) + 5];
	char *memory;
	int fd;

	mkdtemp(folder);
	unshare(CLONE_NEWNS);
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	ok(mount("none", folder, "tmpfs", 0, "size=1M,huge=advise") == 0, "a small tmpfs");
	snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	ok(ftruncate(fd, SIZE) == 0, "and a large file");
	memory = mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0);
	ok(fails(prefault(memory, SIZE), takes(&kinds[1]) ? ENOMEM : ENOENT), "mshare_prefault: ENOMEM");
	munmap(memory, SIZE);
	close(fd);
	umount(folder);
	rmdir(folder);
}

/* On msharefs, mprotect() of a view is ours; the last one counts. */
static void protections(void)
{
	char *memory = mmap(NULL, SIZE, PROT_NONE, SHARED, -1, 0);
	bool good = info_of(memory).prot == PROT_NONE;

	mprotect(memory, SIZE, RW);
	good = good && info_of(memory).prot == RW;
	mprotect(memory, SIZE, PROT_READ);
	ok(good && info_of(memory).prot == PROT_READ, "the protection is the last one");
	mprotect(memory, PAGE, PROT_NONE);
	ok(info_of(memory).reason == MSHARE_REASON_DEMOTED && info_of(memory).error == 0, "of a part: demoted");
	munmap(memory, SIZE);
}

static void texts(void)
{
	bool good = true;

	for (unsigned int i = 0; i < MSHARE_REASON_COUNT; i++) {
		const char *text = reason_text(i);

		good = good && text != NULL && text[0] != '\0' && text[strlen(text) - 1] != '.';
		for (unsigned int j = 0; good && j < i; j++)
			good = strcmp(text, reason_text(j)) != 0;
	}
	ok(good, "every reason has a text of its own");
	ok(reason_text(MSHARE_REASON_COUNT) != NULL && reason_text(UINT_MAX) != NULL &&
		   strcmp(reason_text(MSHARE_REASON_COUNT), reason_text(UINT_MAX)) == 0 &&
		   strcmp(reason_text(UINT_MAX), reason_text(MSHARE_REASON_COUNT - 1)) != 0,
	   "and what is no reason says so");
	ok(version() >= 0x000200, "mshare_version");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	backend = argv[1];
	is_msharefs = strcmp(backend, "msharefs") == 0;
	setbuf(stdout, NULL);
	version = dlsym(RTLD_DEFAULT, "mshare_version");
	query = dlsym(RTLD_DEFAULT, "mshare_query");
	attachment = dlsym(RTLD_DEFAULT, "mshare_attachment");
	region_stats = dlsym(RTLD_DEFAULT, "mshare_region_stats");
	stats = dlsym(RTLD_DEFAULT, "mshare_stats");
	prefault = dlsym(RTLD_DEFAULT, "mshare_prefault");
	reason_text = dlsym(RTLD_DEFAULT, "mshare_reason_text");
	texts();
	attachments();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		describe(&kinds[i]);
	prefaults();
	prefault_too_much();
	if (is_msharefs)
		protections();
	history();
	all_sizes();
	printf("1..%d\n", tests);
	return failures != 0;
}
