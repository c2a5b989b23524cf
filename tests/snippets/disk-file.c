/* SPDX-License-Identifier: PostgreSQL */
/*
 * disk-file.c - for filesystems.t: a file of a file system that has a disk is the same in views, by read() and write(),
 * in a process without the library, and on the disk.
 *
 * Usage: disk-file FILE DISK; DISK is what the file system lies on.  FILE stays, and has the same bytes after each run.
 * Expected is: redirected=3 demoted=0
 */
#include <sys/stat.h>
#include <time.h>

#include "snippet.h"

#define PART	(2 * MEGA)

static const char *path, *disk;

/* Is the text on the disk, at the start of a block?  Dirty pages are not. */
static bool on_disk(const char *text)
{
	static char buffer[MEGA];
	int fd = open(disk, O_RDONLY);
	bool found = false;
	off_t at = 0;

	while (!found && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		ssize_t bytes = pread(fd, buffer, sizeof(buffer), at);

		found = bytes > 0 && memmem(buffer, (size_t)bytes, text, strlen(text)) != NULL;
		at += MEGA;
	}
	close(fd);
	return found;
}

/* No older run left the same text behind. */
static const char *new_text(void)
{
	static char text[80];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof(text), "%d writes at %ld.%09ld", getpid(), now.tv_sec, now.tv_nsec);
	return text;
}

static char *map_file(int fd, size_t length, int prot, off_t offset)
{
	char *memory = SHOW_ADDRESS(mmap(NULL, length, prot, MAP_SHARED, fd, offset), NULL);

	/* For filesystems.t, and not to be compared: a window is larger. */
	fprintf(stderr, "mapped %lu bytes for %zu\n", mapping_at(memory), length);
	return memory;
}

/* What was only read has no block. */
static void read_holes(int fd, const char *memory)
{
	struct stat file;
	size_t wrong = 0;

	for (size_t i = 0; i < SIZE; i += PAGE)
		wrong += memory[i] != 0;
	SHOW(fstat(fd, &file));
	printf("%zu wrong, blocks: %ld\n", wrong, (long)file.st_blocks);
}

/* Each write to a page that is clean again is another one: the time changes, and msync() has to find it. */
static void write_view(int fd, char *memory, const char *reader)
{
	const struct timespec long_ago[2] = { 0 };

	for (int i = 0; i < 3; i++) {
		const char *text = new_text();
		char bytes[80] = "";
		struct stat file;

		SHOW(futimens(fd, long_ago));
		strcpy(memory + PART, text);
		pread(fd, bytes, sizeof(bytes), (off_t)PART);
		printf("read: %d, mapped: %d\n", strcmp(bytes, text), strcmp(reader, text));
		SHOW(msync(memory, SIZE, MS_SYNC));
		SHOW(fstat(fd, &file));
		printf("on the disk: %d, time changed: %d\n", on_disk(text), file.st_mtime != 0);
	}
}

static void write_file(int fd, const char *memory, const char *part, const char *reader)
{
	const char *text = new_text();
	size_t length = strlen(text) + 1;

	printf("%d\n", pwrite(fd, text, length, (off_t)(PART + PAGE)) == (ssize_t)length);
	printf("%d %d %d\n", strcmp(memory + PART + PAGE, text), strcmp(part + MEGA + PAGE, text),
	       strcmp(reader + PAGE, text));
}

/* Beyond the end of a file is no memory, wherever it ends, and when it grows again it is empty there. */
static void change_length(int fd, char *memory, const char *reader)
{
	fill(memory, SIZE, 3);
	memory[PART + 99] = memory[PART + 100] = 1;
	SHOW(ftruncate(fd, (off_t)(PART + 100)));
	SHOW_ACCESS(memory + PART + PAGE - 1);
	SHOW_ACCESS(memory + PART + PAGE);
	SHOW_ACCESS(memory + SIZE - 1);
	printf("read %d\n", fault_of((char *)reader + PAGE, false));
	SHOW(ftruncate(fd, SIZE));
	SHOW_ACCESS(memory + PART + PAGE);
	printf("%zu wrong, %d %d %d\n", wrong_pages(memory, PART + PAGE, 3), memory[PART + 99], memory[PART + 100],
	       memory[PART + PAGE]);
	SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE));
	printf("%d %d\n", memory[0], memory[PAGE] != 0);
}

/* In the other process, without the library: all of the file by its name. */
static int outsider(void)
{
	int fd = open(path, O_RDWR);
	char *memory = mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0);

	printf("library: %d\n", dlsym(RTLD_DEFAULT, "mshare_version") != NULL);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	fill(memory, SIZE, 2);
	SHOW(ftruncate(fd, (off_t)PART));
	return 0;
}

static void meet_outsider(int fd, char *memory)
{
	fill(memory, SIZE, 1);
	IN_CHILD(unsetenv("LD_PRELOAD"); execl("/proc/self/exe", "outsider", path, disk, "outsider", NULL));
	printf("%zu wrong\n", wrong_pages(memory, PART, 2));
	SHOW_ACCESS(memory + PART);
	SHOW(ftruncate(fd, SIZE));
	fill(memory, SIZE, 4);
}

int main(int argc, char **argv)
{
	char *memory, *part, *reader;
	int fd, read_only;

	if (argc < 3)
		return 2;
	path = argv[1];
	disk = argv[2];
	if (argc > 3)
		return outsider();
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	read_only = open(path, O_RDONLY);
	SHOW(ftruncate(fd, SIZE));
	memory = map_file(fd, SIZE, RW, 0);
	part = map_file(fd, PART, RW, (off_t)(PART - MEGA));
	reader = map_file(read_only, PART, PROT_READ, (off_t)PART);
	read_holes(fd, memory);
	write_view(fd, memory, reader);
	write_file(fd, memory, part, reader);
	SHOW_ACCESS(reader);
	change_length(fd, memory, reader);
	meet_outsider(fd, memory);
	SHOW(munmap(part, PART));
	SHOW(munmap(reader, PART));
	SHOW(close(fd));
	SHOW(close(read_only));
	/* The views of a file that nobody has open. */
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 4));
	SHOW(munmap(memory, SIZE));
	return 0;
}
