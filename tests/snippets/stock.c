/* SPDX-License-Identifier: PostgreSQL */
/*
 * stock.c - for stock.t: shared memory that many processes write, and what its page tables cost.
 *
 * Usage: stock KIND MEGABYTES PROCESSES; KIND is anonymous, segment, huge-segment (SHM_HUGETLB), or odd: mappings of huge
 * pages, 1 GB each, none of which starts at a multiple of 1 GB.  Prints one line of NAME=VALUE.  The witnesses are the
 * kernel's: PageTables of /proc/meminfo, which counts a shared table once, in kB; and the page faults that a process
 * takes in memory that another has written before.
 */
#include <sys/resource.h>

#include "snippet.h"

/* What each processor has counted for itself, up to some hundred kB, is added up every second, or when root reads this. */
static void add_up_counters(void)
{
	char byte;
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY);

	if (fd >= 0) {
		(void)!read(fd, &byte, 1);
		close(fd);
	}
}

static long page_tables(void)
{
	add_up_counters();
	return number_in("/proc/meminfo", "PageTables:");
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

struct pipes {
	int go[2], done[2], end[2];
};

/* Writes memory, and tells how many page faults that took. */
static void write_all(char *memory, size_t size, const struct pipes *pipes)
{
	long count = faults();

	fill(memory, size, 1);
	count = faults() - count;
	if (write(pipes->done[1], &count, sizeof(count)) != sizeof(count))
		_exit(1);
}

/*
 * A child waits for a byte, writes everything, and stays until the end.  Before, it has done the same with memory of its own:
 * page tables for the text of it all it has by then, as fork() gives none.
 */
static void child(char *memory, size_t size, const struct pipes *pipes)
{
	char own[PAGE], byte;

	close(pipes->go[1]);
	close(pipes->end[1]);
	write_all(own, sizeof(own), pipes);
	if (read(pipes->go[0], &byte, 1) != 1)
		_exit(1);
	write_all(memory, size, pipes);
	_exit(read(pipes->end[0], &byte, 1) == 0 ? 0 : 1);
}

static bool told(const struct pipes *pipes, long *count)
{
	return read(pipes->done[0], count, sizeof(*count)) == sizeof(*count);
}

/* Returns when all children wait. */
static void start(char *memory, size_t size, int count, struct pipes *pipes)
{
	long ignored;

	if (pipe(pipes->go) != 0 || pipe(pipes->done) != 0 || pipe(pipes->end) != 0)
		exit(1);
	fflush(stdout);
	for (int i = 0; i < count; i++)
		if (fork() == 0)
			child(memory, size, pipes);
	close(pipes->go[0]);
	close(pipes->done[1]);
	close(pipes->end[0]);
	for (int i = 0; i < count; i++)
		if (!told(pipes, &ignored))
			exit(1);
}

/* Lets so many children write, one after the other; the most faults that one of them took.  -1: a child died. */
static long let_write(int count, const struct pipes *pipes)
{
	long most = 0, taken;

	for (int i = 0; i < count; i++) {
		if (write(pipes->go[1], "", 1) != 1 || !told(pipes, &taken))
			return -1;
		most = taken > most ? taken : most;
	}
	return most;
}

static void measure(char *memory, size_t size, int count)
{
	long before, one, all, first, others;
	int status, bad = 0;
	struct pipes pipes;

	signal(SIGPIPE, SIG_IGN);
	start(memory, size, count, &pipes);
	before = page_tables();
	first = let_write(1, &pipes);
	one = page_tables() - before;
	others = let_write(count - 1, &pipes);
	all = page_tables() - before;
	close(pipes.go[1]);
	close(pipes.end[1]);
	for (int i = 0; i < count; i++)
		bad += wait(&status) < 0 || status != 0;
	printf(" one=%ld all=%ld first_faults=%ld faults=%ld bad=%d wrong=%zu", one, all, first, others, bad,
	       wrong_pages(memory, size, 1));
}

static void tell_backend(const char *memory)
{
	int (*query)(const void *, struct mshare_info *) = dlsym(RTLD_DEFAULT, "mshare_query");
	struct mshare_info info = { .size = sizeof(info) };

	if (query == NULL || query(memory, &info) != 0)
		strcpy(info.backend, "unknown");
	printf("backend=%s reason=%u remainder=%lu pmd_mapped=%ld", info.backend, info.reason,
	       (uintptr_t)memory % GIGA, number_in("/proc/self/smaps", "ShmemPmdMapped:"));
}

/* Side by side, but each is an object of its own, so the kernel never makes one mapping of them. */
static char *get_odd(size_t size)
{
	char *start = PLACE + 2 * MEGA;

	for (size_t done = 0; done < size; done += GIGA)
		if (mmap(start + done, size - done < GIGA ? size - done : GIGA, RW,
			 SHARED | MAP_HUGETLB | MAP_FIXED_NOREPLACE, -1, 0) != start + done)
			return MAP_FAILED;
	return start;
}

static char *get(const char *kind, size_t size, int *id)
{
	if (strcmp(kind, "anonymous") == 0)
		return mmap(NULL, size, RW, SHARED, -1, 0);
	if (strcmp(kind, "odd") == 0)
		return get_odd(size);
	*id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600 | (strcmp(kind, "huge-segment") == 0 ? SHM_HUGETLB : 0));
	if (*id < 0)
		return MAP_FAILED;
	return shmat(*id, NULL, 0);
}

int main(int argc, char **argv)
{
	size_t size;
	char *memory;
	int id = -1, detached = 0;

	if (argc != 4)
		return 2;
	size = strtoul(argv[2], NULL, 10) * MEGA;
	memory = get(argv[1], size, &id);
	if (memory == MAP_FAILED) {
		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
		printf("failed=%s\n", strerrorname_np(errno));
		return 1;
	}
	if (id >= 0) {
		printf("nattch=%ld ", nattch(id));
		shmctl(id, IPC_RMID, NULL);
	}
	fill(memory, size, 0);
	tell_backend(memory);
	measure(memory, size, (int)strtol(argv[3], NULL, 10));
	if (id >= 0)
		detached = shmdt(memory) == 0 && nattch(id) == -1;
	printf(" detached=%d\n", detached);
	return 0;
}
