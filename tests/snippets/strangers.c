/* SPDX-License-Identifier: PostgreSQL */
/*
 * strangers.c - processes that have nothing in common but an object: each maps other parts of a memfd and of a POSIX
 * shared memory object, one of them without the library, and all see what any of them writes, at once.
 * Expects: redirected=4 demoted=0
 * Redirects with hugetlb: 0
 * Redirects with thp: 2
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "snippet.h"

#define PART		(2 * MEGA)
#define PROCESSES	3
#define ROUNDS		200

/* At the end of each object, which all map: whose turn it is, and what all count up together. */
struct common {
	atomic_uint turn, count;
};
#define COMMON	(SIZE - PAGE)

/* What a process has mapped of one object; the parts it does not have are NULL. */
struct maps {
	char *start;		/* [0, PART) */
	char *end;		/* [SIZE - PART, SIZE) */
	const char *reader;	/* [MEGA, SIZE) */
};

static char *map_part(int fd, size_t length, int prot, off_t offset)
{
	char *memory = mmap(NULL, length, prot, MAP_SHARED, fd, offset);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

/* 0: all in one mapping, and a part of it.  1: both ends, and a part that it may not write.  2: all but the start. */
static struct maps map_as(int number, int fd, int read_only)
{
	struct maps maps = { 0 };
	char *memory;

	if (number == 0) {
		maps.start = map_part(fd, SIZE, RW, 0);
		maps.end = map_part(fd, PART, RW, (off_t)(SIZE - PART));
		maps.reader = maps.start + MEGA;
	} else if (number == 1) {
		maps.start = map_part(fd, PART, RW, 0);
		maps.end = map_part(fd, PART, PROT_NONE, (off_t)(SIZE - PART));
		mprotect(maps.end, PART, RW);
		maps.reader = map_part(read_only, SIZE - MEGA, PROT_READ, (off_t)MEGA);
	} else {
		memory = map_part(fd, SIZE - MEGA - PAGE, RW, (off_t)(MEGA + PAGE));
		maps.end = memory + (SIZE - PART - MEGA - PAGE);
		maps.start = map_part(fd, PART, RW, 0);
		maps.reader = map_part(read_only, SIZE - MEGA, PROT_READ, (off_t)MEGA);
	}
	return maps;
}

static struct common *common_of(const struct maps *maps)
{
	return (struct common *)(maps->end + COMMON - (SIZE - PART));
}

/* What round r writes: another page each time, a byte in its middle that no other round writes there. */
static size_t place(unsigned int round)
{
	return (round * 37 % ((SIZE - 2 * PAGE) / PAGE)) * PAGE + PAGE / 2;
}

static char *writable(const struct maps *maps, size_t at)
{
	return at < PART ? maps->start + at : maps->end + at - (SIZE - PART);
}

/* Through every mapping that has it. */
static bool all_have(const struct maps *maps, size_t at, char byte)
{
	return *writable(maps, at) == byte && (at < MEGA || maps->reader[at - MEGA] == byte);
}

/* In turn: each finds what the one before wrote, and nothing but that memory itself says that it is there. */
static unsigned int take_turns(unsigned int number, const struct maps *maps)
{
	struct common *common = common_of(maps);
	unsigned int wrong = 0;

	for (unsigned int round = number; round < ROUNDS * PROCESSES; round += PROCESSES) {
		while (atomic_load(&common->turn) != round)
			sched_yield();
		if (round > 0)
			wrong += !all_have(maps, place(round - 1), (char)round);
		*writable(maps, place(round)) = (char)(round + 1);
		wrong += !all_have(maps, place(round), (char)(round + 1));
		atomic_store(&common->turn, round + 1);
	}
	return wrong;
}

/* All at once. */
static void count_up(const struct maps *maps)
{
	for (int i = 0; i < 20000; i++)
		atomic_fetch_add(&common_of(maps)->count, 1);
}

static unsigned int play(unsigned int number, const struct maps *maps)
{
	unsigned int wrong = take_turns(number, maps);

	count_up(maps);
	return wrong;
}

/* What the library redirected in this process, or -1 without it. */
static long redirected(void)
{
	int (*stats)(struct mshare_counters *) =
		(int (*)(struct mshare_counters *))dlsym(RTLD_DEFAULT, "mshare_stats");
	struct mshare_counters counters = { .size = sizeof(counters) };

	return stats != NULL && stats(&counters) == 0 ? (long)counters.redirected : -1;
}

static int receive(int channel)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = space,
				  .msg_controllen = sizeof(space) };
	int fd = -1;

	if (recvmsg(channel, &message, 0) == 1 && CMSG_FIRSTHDR(&message) != NULL)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void send_fd(int channel, int fd)
{
	char byte = 0, space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = space,
				  .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(channel, &message, 0) != 1)
		perror("sendmsg");
}

/* Number 1 gets the memfd by a message, number 2 by its name below /proc.  Answers on its channel, 0 if all is well. */
static int stranger(int number, int channel, const char *memfd_name, const char *shm_name, long as_many)
{
	int memfd = number == 1 ? receive(channel) : open(memfd_name, O_RDWR);
	int shm = shm_open(shm_name, O_RDWR, 0), read_only;
	struct maps maps[2];
	unsigned int wrong = 0;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	read_only = open(path, O_RDONLY);
	maps[0] = map_as(number, memfd, read_only);
	maps[1] = map_as(number, shm, shm_open(shm_name, O_RDONLY, 0));
	for (int i = 0; i < 2; i++)
		wrong += play((unsigned int)number, &maps[i]);
	if (number == 1 && (redirected() > 0) != (as_many > 0))
		wrong += 1000000;
	if (number == 2 && redirected() != -1)
		wrong += 2000000;
	/* Until the first says that it has seen it: what the others see does not depend on who has ended. */
	for (int i = 0; i < 2; i++) {
		memset(writable(&maps[i], MEGA - PAGE), number, PAGE);
		wrong += fault_of((char *)maps[i].reader, true) != SIGSEGV;
	}
	if (write(channel, &wrong, sizeof(wrong)) != sizeof(wrong))
		return 1;
	return read(channel, &wrong, 1) == 0 ? 0 : 1;
}

/* By two forks, so that it is nobody's child. */
static void start(int number, int channel, int other_end, int memfd, const char *shm_name)
{
	char numbers[3][20], memfd_name[40];

	fflush(stdout);
	if (fork() != 0) {
		wait(NULL);
		return;
	}
	if (fork() != 0)
		_exit(0);
	close(other_end);
	snprintf(memfd_name, sizeof(memfd_name), "/proc/%d/fd/%d", snippet_pid, memfd);
	close(memfd);
	snprintf(numbers[0], sizeof(numbers[0]), "%d", number);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", channel);
	snprintf(numbers[2], sizeof(numbers[2]), "%ld", redirected());
	unsetenv("SNIPPET_REPORT");
	if (number == 2)
		unsetenv("LD_PRELOAD");
	execl("/proc/self/exe", "strangers", numbers[0], numbers[1], memfd_name, shm_name, numbers[2],
	      NULL);
	_exit(1);
}

int main(int argc, char **argv)
{
	int memfd, shm, channels[PROCESSES][2];
	struct maps maps[2];
	char name[40];

	alarm(100);
	if (argc > 5)
		return stranger(atoi(argv[1]), atoi(argv[2]), argv[3], argv[4], atol(argv[5]));
	memfd = memfd_create("strangers", 0);
	snprintf(name, sizeof(name), "/mshare-snippet-%d", getpid());
	shm = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	SHOW(ftruncate(memfd, SIZE));
	SHOW(ftruncate(shm, SIZE));
	maps[0] = map_as(0, memfd, memfd);
	maps[1] = map_as(0, shm, shm);
	for (int number = 1; number < PROCESSES; number++) {
		socketpair(AF_UNIX, SOCK_STREAM, 0, channels[number]);
		start(number, channels[number][1], channels[number][0], memfd, name);
		close(channels[number][1]);
	}
	send_fd(channels[1][0], memfd);
	for (int i = 0; i < 2; i++)
		printf("%u wrong\n", play(0, &maps[i]));
	for (int number = 1; number < PROCESSES; number++) {
		unsigned int wrong = 0;

		printf("%zd ", read(channels[number][0], &wrong, sizeof(wrong)));
		printf("stranger %d: %u wrong\n", number, wrong);
	}
	SHOW(shm_unlink(name));
	for (int i = 0; i < 2; i++)
		printf("counted %u, last %d\n", common_of(&maps[i])->count, *writable(&maps[i], MEGA - PAGE) != 0);
	/* An end of file: now they may go. */
	for (int number = 1; number < PROCESSES; number++) {
		shutdown(channels[number][0], SHUT_WR);
		printf("%zd\n", read(channels[number][0], channels, 1));
	}
	for (int i = 0; i < 2; i++)
		printf("%u turns\n", common_of(&maps[i])->turn);
	return 0;
}
