/* SPDX-License-Identifier: PostgreSQL */
/*
 * hugetlbfs.c - files of 2 MB pages by their names, memfds of them, and mappings and segments that name the size of
 * their pages; with a process without the library.  Needs 3 such pages (see hugepages.c).
 * Expects: redirected=9 demoted=0
 * Expects with hugetlb: redirected=9 demoted=0
 * Redirects with thp: 0
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "snippet.h"

#define HUGE	(2 * MEGA)
#define LENGTH	(3 * HUGE)
/* The size of pages, at the same place in all of memfd_create(), mmap() and shmget(). */
#define IN_2MB	(21 << 26)

static char *map_file(int fd, size_t length, int prot, off_t offset)
{
	return SHOW_ADDRESS(mmap(NULL, length, prot, MAP_SHARED, fd, offset), NULL);
}

static void show_size(int fd)
{
	struct stat file;

	fstat(fd, &file);
	printf("%ld bytes, pages of %ld\n", (long)file.st_size, (long)file.st_blksize);
}

/* In the other process, without the library: what the first wrote, and something for it. */
static int outsider(char *memory)
{
	printf("library: %d\n", dlsym(RTLD_DEFAULT, "mshare_version") != NULL);
	printf("%zu wrong\n", wrong_pages(memory, LENGTH, 1));
	fill(memory, LENGTH, 2);
	return 0;
}

static int outsider_by_name(const char *path)
{
	return outsider(mmap(NULL, LENGTH, RW, MAP_SHARED, open(path, O_RDWR), 0));
}

static int outsider_by_id(const char *id)
{
	return outsider(shmat(atoi(id), NULL, 0));
}

static void meet_outsider(char *memory, const char *kind, const char *name)
{
	fill(memory, LENGTH, 1);
	IN_CHILD(unsetenv("LD_PRELOAD"); execl("/proc/self/exe", "hugetlbfs", kind, name, NULL));
	printf("%zu wrong\n", wrong_pages(memory, LENGTH, 2));
}

/* Parts of one file, in mappings of different offsets, lengths and protections. */
static void parts(int fd, int read_only)
{
	char *whole = map_file(fd, LENGTH, RW, 0), *part, *reader;
	char byte = 0;

	if (whole == MAP_FAILED)
		return;
	show_size(fd);
	part = map_file(fd, 2 * HUGE, RW, HUGE);
	reader = map_file(read_only, HUGE + MEGA, PROT_READ, HUGE);
	map_file(fd, HUGE, RW, MEGA);
	map_file(read_only, HUGE, RW, 0);
	fill(whole, LENGTH, 5);
	printf("%d %d\n", part[PAGE] == whole[HUGE + PAGE], reader[HUGE + PAGE] == whole[2 * HUGE + PAGE]);
	part[HUGE] = 77;
	printf("%d %d\n", whole[2 * HUGE], reader[HUGE]);
	SHOW_ACCESS(reader);
	SHOW_ACCESS(reader + 2 * HUGE - 1);
	SHOW(pread(fd, &byte, 1, 2 * HUGE));
	printf("%d\n", byte);
	SHOW(pwrite(fd, &byte, 1, 0));
	IN_CHILD(printf("%d\n", reader[HUGE]); whole[HUGE] = 78);
	printf("%d %d\n", part[0], reader[0]);
	SHOW(munmap(whole, LENGTH));
	SHOW(mprotect(part, 2 * HUGE, PROT_READ));
	SHOW_ACCESS(part);
	SHOW(mprotect(part, 2 * HUGE, RW));
	SHOW_ACCESS(part);
	SHOW(munmap(reader, 2 * HUGE));
	printf("%d %d\n", part[0], part[HUGE]);
	SHOW(munmap(part, 2 * HUGE));
}

static void change_length(int fd)
{
	char *memory = map_file(fd, LENGTH, RW, 0);

	if (memory == MAP_FAILED)
		return;
	fill(memory, LENGTH, 6);
	SHOW(ftruncate(fd, MEGA));
	SHOW(ftruncate(fd, HUGE));
	SHOW_ACCESS(memory + HUGE - 1);
	SHOW_ACCESS(memory + HUGE);
	SHOW(ftruncate(fd, LENGTH));
	SHOW_ACCESS(memory + HUGE);
	printf("%zu wrong, %d\n", wrong_pages(memory, HUGE, 6), memory[HUGE + PAGE]);
	SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE));
	printf("%d\n", memory[PAGE]);
	SHOW(munmap(memory, LENGTH));
}

/* The mount is this process' own, and cannot go as long as something of it is in use. */
static void by_name(void)
{
	char folder[] = "/tmp/mshare-snippet-XXXXXX", path[sizeof(folder) + 5];
	int fd, read_only;
	char *memory;

	mkdtemp(folder);
	SHOW(unshare(CLONE_NEWNS));
	SHOW(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	SHOW(mount("none", folder, "hugetlbfs", 0, "pagesize=2M"));
	snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	read_only = open(path, O_RDONLY);
	parts(fd, read_only);
	change_length(fd);
	memory = map_file(fd, LENGTH, RW, 0);
	SHOW(close(fd));
	SHOW(close(read_only));
	if (memory != MAP_FAILED) {
		meet_outsider(memory, "name", path);
		SHOW(unlink(path));
		printf("%zu wrong\n", wrong_pages(memory, LENGTH, 2));
		SHOW(munmap(memory, LENGTH));
	}
	SHOW(umount(folder));
	rmdir(folder);
}

static void by_memfd(void)
{
	int fd = memfd_create("hugetlbfs", MFD_HUGETLB | IN_2MB);
	char path[40], *memory;

	SHOW(ftruncate(fd, LENGTH));
	show_size(fd);
	memory = map_file(fd, LENGTH, RW, 0);
	if (memory != MAP_FAILED) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
		meet_outsider(memory, "name", path);
		SHOW(munmap(memory, LENGTH));
	}
	SHOW(close(fd));
}

static void anonymous(void)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | IN_2MB;
	char *memory = SHOW_ADDRESS(mmap(NULL, LENGTH, RW, flags, -1, 0), NULL);

	if (memory == MAP_FAILED)
		return;
	fill(memory, LENGTH, 3);
	IN_CHILD(printf("%zu wrong\n", wrong_pages(memory, LENGTH, 3)); fill(memory, LENGTH, 4));
	printf("%zu wrong\n", wrong_pages(memory, LENGTH, 4));
	SHOW(munmap(memory, LENGTH));
}

/* Two attaches, of which one may only read. */
static void segment(void)
{
	int id = shmget(IPC_PRIVATE, LENGTH, IPC_CREAT | SHM_HUGETLB | IN_2MB | 0600);
	char number[20], *memory, *reader;

	if (id < 0) {
		printf("shmget: %s\n", strerrorname_np(errno));
		return;
	}
	memory = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	reader = SHOW_ADDRESS(shmat(id, NULL, SHM_RDONLY), NULL);
	snprintf(number, sizeof(number), "%d", id);
	meet_outsider(memory, "id", number);
	printf("%zu wrong, nattch %ld\n", wrong_pages(reader, LENGTH, 2), nattch(id));
	SHOW_ACCESS(reader + HUGE);
	SHOW(shmctl(id, IPC_RMID, NULL));
	SHOW(shmdt(memory));
	printf("%zu wrong, nattch %ld\n", wrong_pages(reader, LENGTH, 2), nattch(id));
	SHOW(shmdt(reader));
	printf("nattch %ld\n", nattch(id));
}

int main(int argc, char **argv)
{
	long before = free_huge_pages();

	if (argc > 2)
		return strcmp(argv[1], "id") == 0 ? outsider_by_id(argv[2]) : outsider_by_name(argv[2]);
	by_name();
	by_memfd();
	anonymous();
	segment();
	printf("pages lost: %ld\n", before - free_huge_pages());
	return 0;
}
