/* SPDX-License-Identifier: PostgreSQL */
/*
 * files.c - memfd, shm_open() and other files: parts of them, by several mappings, read-only, written, truncated.
 * Expects: redirected=7 demoted=1
 * Redirects with hugetlb: 0
 * Redirects with thp: 5
 */
#include "snippet.h"

#define PART	(2 * MEGA)

static int new_memfd(size_t size)
{
	int fd = memfd_create("files", 0);

	SHOW(ftruncate(fd, (off_t)size));
	return fd;
}

static char *map_file(int fd, size_t length, int prot, off_t offset)
{
	return SHOW_ADDRESS(mmap(NULL, length, prot, MAP_SHARED, fd, offset), NULL);
}

/* Different offsets, lengths and protections of one object, and what write() and read() see. */
static void parts(void)
{
	int fd = new_memfd(SIZE);
	char *whole = map_file(fd, SIZE, RW, 0);
	char *part = map_file(fd, PART, RW, (off_t)(PART / 2));
	char *reader = map_file(fd, PART, PROT_READ, (off_t)PART);
	char byte = 0;

	fill(whole, SIZE, 5);
	SHOW(close(fd));
	printf("%d\n", part[0] == whole[PART / 2] && reader[0] == whole[PART]);
	part[PART / 2] = 77;
	printf("%d %d\n", whole[PART], reader[0]);
	SHOW_ACCESS(reader);
	SHOW(msync(part, PART, MS_SYNC));
	IN_CHILD(whole[PART + PAGE] = 78; printf("%d\n", reader[PAGE]));
	printf("%d %d\n", reader[PAGE], part[PART / 2 + PAGE]);
	byte = whole[SIZE - PAGE];
	printf("%d\n", byte == reader[PART - PAGE]);
	SHOW(munmap(whole, SIZE));
	SHOW(munmap(part, PART));
	printf("%d\n", reader[0]);
	SHOW(munmap(reader, PART));
}

static void read_and_write(void)
{
	int fd = new_memfd(SIZE);
	char *memory = map_file(fd, SIZE, RW, 0);
	char bytes[8] = "written";

	SHOW(pwrite(fd, bytes, sizeof(bytes), (off_t)PART));
	printf("%s\n", memory + PART);
	strcpy(memory + PART, "mapped");
	SHOW(pread(fd, bytes, sizeof(bytes), (off_t)PART));
	printf("%s\n", bytes);
	SHOW(ftruncate(fd, (off_t)PART));
	SHOW_ACCESS(memory + PART - PAGE);
	SHOW_ACCESS(memory + PART);
	SHOW(ftruncate(fd, (off_t)SIZE));
	printf("%d\n", memory[PART]);
	SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE));
	printf("%d\n", memory[0]);
	SHOW(munmap(memory, SIZE));
	SHOW(close(fd));
}

/* A descriptor that may only be read gives no way to write. */
static void read_only(void)
{
	char name[64], *memory;
	int writer, fd;

	snprintf(name, sizeof(name), "/mshare-snippet-files-%d", getpid());
	writer = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	fd = shm_open(name, O_RDONLY, 0);
	SHOW(shm_unlink(name));
	SHOW(ftruncate(writer, SIZE));
	SHOW(pwrite(writer, "x", 1, 0));
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0), NULL);
	memory = map_file(fd, SIZE, PROT_READ, 0);
	printf("%c\n", memory[0]);
	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, SIZE, RW));
	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, PAGE, PROT_NONE));
	SHOW_ACCESS(memory);
	SHOW(munmap(memory, SIZE));
	SHOW(close(fd));
	SHOW(close(writer));
}

/* Errors, files that end before the mapping does, and PROT_NONE first. */
static void odd(void)
{
	int fd = new_memfd(PART + 100);
	char *memory = map_file(fd, SIZE, PROT_NONE, 0);

	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, SIZE, RW));
	SHOW_ACCESS(memory + PART);
	SHOW_ACCESS(memory + PART + PAGE);
	SHOW(munmap(memory, SIZE));
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, MAP_SHARED, fd, 100), NULL);
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, MAP_SHARED, -1, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, 0, RW, MAP_SHARED, fd, 0), NULL);
	memory = SHOW_ADDRESS(mmap(PLACE + MEGA, PART, RW, MAP_SHARED | MAP_FIXED, fd, 0), PLACE + MEGA);
	memory[0] = 1;
	SHOW_ADDRESS(mmap(PLACE + MEGA, PART, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), PLACE + MEGA);
	SHOW(munmap(memory, PART));
	SHOW(close(fd));
}

/* In a folder: by its name, and after that is gone. */
static void on_disk(void)
{
	char path[] = "/var/tmp/mshare-snippet-XXXXXX";
	int fd = mkstemp(path);
	char *memory, *again;

	SHOW(ftruncate(fd, SIZE));
	memory = map_file(fd, SIZE, RW, 0);
	again = map_file(fd, PART, RW, (off_t)PART);
	SHOW(unlink(path));
	fill(memory, SIZE, 9);
	printf("%d\n", again[PAGE] == memory[PART + PAGE]);
	SHOW(msync(memory, SIZE, MS_SYNC));
	SHOW(pread(fd, memory, 10, (off_t)(PART + PAGE)));
	printf("%d\n", memory[0] == again[PAGE]);
	SHOW(munmap(again, PART));
	SHOW(munmap(memory, SIZE));
	SHOW(close(fd));
}

int main(void)
{
	parts();
	read_and_write();
	read_only();
	odd();
	on_disk();
	return 0;
}
