// SPDX-License-Identifier: GPL-2.0
/*
 * What the msharefs tests share; see mshare_test.h.
 */
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest.h"
#include "mshare_test.h"

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void check(bool ok, const char *what, const char *file, int line)
{
	int error = errno;

	if (ok)
		return;
	fprintf(stderr, "# %s:%d: child: not so: %s (errno %d)\n", file, line,
		what, error);
	_exit(1);
}

/* The test's own mount */

const char *mshare_missing(void)
{
	char line[128];
	bool found = false;
	FILE *f;

	if (geteuid())
		return "needs root, to mount msharefs";

	f = fopen("/proc/filesystems", "r");
	if (!f)
		return "needs /proc";
	while (!found && fgets(line, sizeof(line), f))
		found = !strcmp(line, "nodev\tmsharefs\n");
	fclose(f);

	return found ? NULL : "this kernel has no msharefs";
}

int mshare_mount(const char *options)
{
	return mount("msharefs", MSHARE_MNT, "msharefs", 0, options);
}

int mshare_begin(struct mshare_env *env)
{
	struct rlimit no_core = { 0, 0 };

	/* Children that are to die of SIGSEGV must not leave files behind. */
	if (setrlimit(RLIMIT_CORE, &no_core))
		return -errno;
	env->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (env->kmsg < 0 || lseek(env->kmsg, 0, SEEK_END) < 0)
		return -errno;
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mshare_mount(NULL))
		return -errno;
	env->root = open(MSHARE_MNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return env->root < 0 ? -errno : 0;
}

static bool is_splat(const char *record)
{
	static const char * const marks[] = {
		"WARNING: ", "BUG: ", "kernel BUG at", "Bad page", "Oops: ",
		"UBSAN: ", "bad pmd", "bad pud", "bad p4d", "bad pgd",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(record, marks[i]))
			return true;
	return false;
}

/* The number of complaints in the kernel log; each is printed. */
static int kmsg_splats(int kmsg)
{
	char record[8192];
	int splats = 0;
	ssize_t len;

	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			return splats;
		record[len] = 0;
		if (!is_splat(record))
			continue;
		record[strcspn(record, "\n")] = 0;
		fprintf(stderr, "# kernel log: %s\n", record);
		splats++;
	}
}

/*
 * Refused while a region has a user: nothing else tells as surely that a test
 * left none behind.  Descriptors and address spaces of children that are gone
 * may be put a little later than their parent hears of it.
 */
static int umount_unused(void)
{
	int tries;

	for (tries = 0; tries < 1500; tries++) {
		if (!umount2(MSHARE_MNT, 0))
			return 0;
		if (errno != EBUSY)
			break;
		sleep_ms(20);
	}
	fprintf(stderr, "# %s: umount: %s\n", MSHARE_MNT, strerror(errno));
	return -1;
}

int mshare_end(struct mshare_env *env)
{
	int busy, splats;

	close(env->root);
	busy = umount_unused();
	splats = kmsg_splats(env->kmsg);
	close(env->kmsg);
	return busy || splats ? -1 : 0;
}

/* Regions */

int region_create(int root, const char *name, size_t size)
{
	int fd = openat(root, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 && size && ftruncate(fd, size)) {
		close(fd);
		unlinkat(root, name, 0);
		return -1;
	}
	return fd;
}

int region_anon(int root, size_t bytes)
{
	int fd = region_create(root, "anon", SLOT);

	if (fd < 0)
		return fd;
	if (unlinkat(root, "anon", 0) || create_anon(fd, 0, bytes)) {
		close(fd);
		return -1;
	}
	return fd;
}

int create_mapping(int fd, __u64 region_offset, __u64 size,
		   __u64 offset, int prot, int flags, int file)
{
	struct mshare_create create = {
		.region_offset = region_offset,
		.size = size,
		.offset = offset,
		.prot = prot,
		.flags = flags,
		.fd = file,
	};

	return ioctl(fd, MSHAREFS_CREATE_MAPPING, &create);
}

int create_anon(int fd, __u64 region_offset, __u64 size)
{
	return create_mapping(fd, region_offset, size, 0, RW, ANON_FLAGS, -1);
}

int unmap(int fd, __u64 region_offset, __u64 size)
{
	struct mshare_unmap range = {
		.region_offset = region_offset,
		.size = size,
	};

	return ioctl(fd, MSHAREFS_UNMAP, &range);
}

char *window(int fd, size_t size, int prot, void *at)
{
	return mmap(at, size, prot, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
}

int region_stat(int fd, struct mshare_stat *st)
{
	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	return ioctl(fd, MSHAREFS_STAT, st);
}

/* Objects */

int object_open_at(int root, const void *addr, __u64 size,
		   const void *view_addr, __u32 flags)
{
	struct mshare_object object = {
		.addr = (uintptr_t)addr,
		.size = size,
		.view_addr = (uintptr_t)view_addr,
		.flags = flags,
	};

	return ioctl(root, MSHAREFS_OPEN_OBJECT, &object);
}

int object_open(int root, const void *addr, __u64 size, __u32 flags)
{
	return object_open_at(root, addr, size, NULL, flags);
}

char *object_window(int fd, int prot, void *at)
{
	struct mshare_stat st;
	char *base;

	if (region_stat(fd, &st))
		return MAP_FAILED;
	base = window(fd, st.region_bytes, prot, at);
	return base == MAP_FAILED ? base : base + st.object_offset;
}

char *shared_anon(size_t bytes)
{
	return mmap(NULL, bytes, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

int memfd(size_t bytes)
{
	int fd = memfd_create("mshare-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, bytes)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Probes: longjmp out of the fault that an access gets */

static __thread sigjmp_buf probe_env;

static void probe_handler(int sig)
{
	siglongjmp(probe_env, sig);
}

static void probe_signals(struct sigaction *segv, struct sigaction *bus)
{
	struct sigaction action = { .sa_handler = probe_handler };

	sigaction(SIGSEGV, &action, segv);
	sigaction(SIGBUS, &action, bus);
}

enum probe { LOAD, STORE, CALL };

static int probe(enum probe what, void *addr, char value)
{
	struct sigaction segv, bus;
	int sig;

	probe_signals(&segv, &bus);
	sig = sigsetjmp(probe_env, 1);
	if (!sig && what == LOAD)
		load((char *)addr);
	else if (!sig && what == STORE)
		store((char *)addr, value);
	else if (!sig)
		((void (*)(void))(uintptr_t)addr)();
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return sig;
}

int probe_load(const void *addr)
{
	return probe(LOAD, (void *)addr, 0);
}

int probe_store(void *addr, char value)
{
	return probe(STORE, addr, value);
}

int probe_call(void *addr)
{
	return probe(CALL, addr, 0);
}

/* Children */

pid_t child_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

pid_t child_run(int (*fn)(void *arg), void *arg)
{
	pid_t pid = child_fork();

	if (!pid)
		_exit(fn(arg));
	return pid;
}

int child_wait(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

void child_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int guarded_run(int (*fn)(void *arg), void *arg)
{
	sigset_t set, old;
	int sig;
	pid_t pid;

	fflush(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = child_fork();
	if (!pid) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		_exit(fn(arg));
	}
	if (pid < 0 || sigwait(&set, &sig))
		return 1;
	if (sig == SIGCHLD)
		return child_wait(pid);
	child_kill(pid);
	return 128 + sig;
}

void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

void become_nobody(void)
{
	CHECK(!setgroups(0, NULL));
	CHECK(!setresgid(NOBODY, NOBODY, NOBODY));
	CHECK(!setresuid(NOBODY, NOBODY, NOBODY));
	/* Else /proc/self would belong to root and refuse for that reason. */
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
}

struct stage *stage_new(void)
{
	struct stage *s = (struct stage *)shared_anon(sizeof(*s));

	return s == MAP_FAILED ? NULL : s;
}

void stage_set(struct stage *s, int step)
{
	__atomic_store_n(&s->step, step, __ATOMIC_SEQ_CST);
}

void stage_add(struct stage *s)
{
	__atomic_add_fetch(&s->step, 1, __ATOMIC_SEQ_CST);
}

static void tell_file(pid_t pid, const char *name)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "# child %d: %s: %.*s\n", pid, name,
			(int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
}

/* Who did not get there: state and exit code are fields 3 and 52 of stat. */
static void tell_children(void)
{
	FILE *f = fopen("/proc/thread-self/children", "r");
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1) {
		tell_file(pid, "stat");
		tell_file(pid, "wchan");
		tell_file(pid, "stack");
	}
	if (f)
		fclose(f);
}

bool stage_wait(struct stage *s, int step)
{
	/* A test of 240 s can still tell. */
	double end = now() + 180;

	while (now() < end) {
		if (__atomic_load_n(&s->step, __ATOMIC_SEQ_CST) >= step)
			return true;
		sleep_ms(1);
	}
	tell_children();
	return false;
}

/* Contents */

void fill(char *p, size_t bytes, char value)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE_SZ)
		p[i] = value++;
}

bool filled(const char *p, size_t bytes, char value)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE_SZ)
		if (p[i] != value++)
			return false;
	return true;
}

void touch(const char *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE_SZ)
		load(&p[i]);
}

/* Oracles */

/* Without stdio, whose buffers would cost page tables of their own. */
static long value_in(const char *path, const char *key)
{
	static char text[16384];
	size_t len = strlen(key);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	char *line;

	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = 0;
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == ':')
			return strtol(line + len + 1, NULL, 10);
	}
	return -1;
}

long status_kb(pid_t pid, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return value_in(pid ? path : "/proc/self/status", key);
}

bool smaps_line(const char *p, const char *key, char *text, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], start[32];
	bool in_record = false, found = false;
	size_t len = strlen(key);

	if (!f)
		return false;
	snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
	while (!found && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, start, strlen(start)))
			in_record = true;
		else if (in_record && !strncmp(line, key, len) &&
			 line[len] == ':')
			found = true;
	}
	fclose(f);
	if (found)
		snprintf(text, size, "%s", line + len + 1);
	return found;
}

long smaps_kb(const char *p, const char *key)
{
	char text[64];

	return smaps_line(p, key, text, sizeof(text)) ? atol(text) : -1;
}

/*
 * The kernel counts page tables for each CPU first, and adds that up from time
 * to time, or when this file is read: without, a figure may be a few hundred
 * kB off.
 */
static void refresh_counters(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY);
	char none;

	if (fd < 0)
		return;
	if (read(fd, &none, 1) < 0)
		perror("# /proc/sys/vm/stat_refresh");
	close(fd);
}

long meminfo_value(const char *key)
{
	refresh_counters();
	return value_in("/proc/meminfo", key);
}

long meminfo_settled(const char *key)
{
	long last = -1, now = meminfo_value(key);
	int calm = 0, tries;

	for (tries = 0; calm < 3 && tries < 50; tries++) {
		sleep_ms(100);
		last = now;
		now = meminfo_value(key);
		calm = now == last ? calm + 1 : 0;
	}
	return now;
}

long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}
