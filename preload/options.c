/* SPDX-License-Identifier: PostgreSQL */
/*
 * options.c - what the environment asks of the library.
 *
 * options_read() is the only place that looks at the environment.  A value that makes no sense turns
 * the library off: guessing what a server's owner meant is worse than doing nothing.
 */
#include "options.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>

#include "attach.h"
#include "real.h"

#define DEFAULT_MIN_SIZE	(64UL << 20)
#define DEFAULT_MOUNT		"/sys/fs/mshare"

/* Both what people write for k, M, G and what postgresql.conf takes; 1 kB is 1024 bytes, as there. */
static const struct unit {
	const char *name;
	int shift;
} units[] = {
	{ "", 0 },    { "B", 0 },   { "k", 10 },  { "kB", 10 }, { "M", 20 },
	{ "MB", 20 }, { "G", 30 },  { "GB", 30 }, { "T", 40 },	{ "TB", 40 },
};

bool options_parse_size(const char *text, size_t *bytes)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(end, units[i].name) != 0)
			continue;
		if (number > SIZE_MAX >> units[i].shift)
			return false;
		*bytes = (size_t)number << units[i].shift;
		return true;
	}
	return false;
}

/* The words of PostgreSQL's booleans. */
static bool parse_bool(const char *text, bool *value)
{
	static const char *const words[2][4] = { { "off", "0", "no", "false" }, { "on", "1", "yes", "true" } };

	for (int truth = 0; truth < 2; truth++)
		for (int i = 0; i < 4; i++)
			if (strcasecmp(text, words[truth][i]) == 0) {
				*value = truth;
				return true;
			}
	return false;
}

static bool parse_on(const char *text, struct options *options)
{
	return parse_bool(text, &options->on);
}

static bool parse_strict(const char *text, struct options *options)
{
	return parse_bool(text, &options->strict);
}

static bool parse_prefault(const char *text, struct options *options)
{
	return parse_bool(text, &options->prefault);
}

static bool parse_min_size(const char *text, struct options *options)
{
	return options_parse_size(text, &options->min_size);
}

/* The index of the word that the first length bytes of text are, or -1. */
static int word_of(const char *text, size_t length, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
		if (strlen(words[i]) == length && strncasecmp(text, words[i], length) == 0)
			return i;
	return -1;
}

static bool parse_level(const char *text, struct options *options)
{
	static const char *const words[] = { "error", "warn", "info", "debug" };
	int level = word_of(text, strlen(text), words, 4);

	if (level >= 0)
		options->log = (enum log_level)level;
	return level >= 0;
}

static bool parse_huge(const char *text, struct options *options)
{
	static const char *const words[] = { "default", "never", "advise" };
	int huge = word_of(text, strlen(text), words, 3);

	if (huge >= 0)
		options->huge = (enum huge)huge;
	return huge > 0;
}

static bool parse_path(const char *text, char *path, size_t size)
{
	if (text[0] != '/' || strlen(text) >= size)
		return false;
	strcpy(path, text);
	return true;
}

static bool parse_mount(const char *text, struct options *options)
{
	return parse_path(text, options->mount, sizeof(options->mount));
}

static bool parse_log_file(const char *text, struct options *options)
{
	return parse_path(text, options->log_file, sizeof(options->log_file));
}

static bool parse_programs(const char *text, struct options *options)
{
	if (strlen(text) >= sizeof(options->programs))
		return false;
	strcpy(options->programs, text);
	return true;
}

/* Each backend at most once, and none only as the last. */
static bool parse_backends(const char *text, struct options *options)
{
	unsigned int count = 0;
	bool seen[BACKEND_COUNT] = { false };

	if (strcasecmp(text, "auto") == 0)
		return true;
	for (const char *word = text;; word++) {
		size_t length = strcspn(word, ",");
		int backend = word_of(word, length, backend_names, BACKEND_COUNT);

		if (backend < 0 || seen[backend] || seen[BACKEND_NONE])
			return false;
		seen[backend] = true;
		options->backends[count++] = (enum backend)backend;
		word += length;
		if (*word == '\0')
			break;
	}
	options->backend_count = count;
	options->backends_named = true;
	return true;
}

static const struct option {
	const char *name;
	bool (*parse)(const char *text, struct options *options);
	const char *expected;
} table[] = {
	{ "MSHARE", parse_on, "on or off" },
	{ "MSHARE_BACKEND", parse_backends, "auto, or a list of msharefs, hugetlb, thp, none, such as msharefs,thp" },
	{ "MSHARE_HUGE", parse_huge, "never or advise" },
	{ "MSHARE_LOG", parse_level, "error, warn, info or debug" },
	{ "MSHARE_LOG_FILE", parse_log_file, "the absolute path of a file, below 256 bytes" },
	{ "MSHARE_MIN_SIZE", parse_min_size, "a number of bytes, or one with kB, MB, GB or TB, such as 64MB" },
	{ "MSHARE_MOUNT", parse_mount, "the absolute path of an msharefs mount, below 256 bytes" },
	{ "MSHARE_PREFAULT", parse_prefault, "0 or 1" },
	{ "MSHARE_PROGRAMS", parse_programs, "names or paths of executables, separated by colons, below 1024 bytes" },
	{ "MSHARE_STRICT", parse_strict, "0 or 1" },
};

bool options_read(struct options *options, options_source source)
{
	bool valid = true;

	*options = (struct options){ .on = true,
				     .log = LOG_LEVEL_WARN,
				     .min_size = DEFAULT_MIN_SIZE,
				     .mount = DEFAULT_MOUNT,
				     .backends = { BACKEND_MSHAREFS, BACKEND_HUGETLB, BACKEND_THP },
				     .backend_count = 3 };
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *value = source(table[i].name);

		/* An empty value is one that was not given: shells make it hard to unset a variable for one command. */
		if (value == NULL || *value == '\0' || table[i].parse(value, options))
			continue;
		log_line(LOG_LEVEL_ERROR,
			 "%s=\"%.200s\" makes no sense: expected %s; correct or unset it (the library stays off)",
			 table[i].name, value, table[i].expected);
		valid = false;
	}
	options->on = options->on && valid;
	/* Whoever names none has said that ordinary memory will do. */
	if (options->backends[options->backend_count - 1] == BACKEND_NONE)
		options->strict = false;
	return valid;
}

bool options_program_listed(const char *programs, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;

	for (const char *entry = programs; *entry != '\0'; entry += strspn(entry, ":")) {
		size_t length = strcspn(entry, ":");
		const char *wanted = memchr(entry, '/', length) != NULL ? path : base;

		if (length > 0 && strlen(wanted) == length && strncmp(entry, wanted, length) == 0)
			return true;
		entry += length;
	}
	return false;
}

static struct options process_options;

/* secure_getenv: whoever starts a privileged program has no say in it. */
static const char *environment(const char *name)
{
	return secure_getenv(name);
}

/*
 * By the path that the kernel knows the program by, and by the one it was started by, which is all there is without /proc;
 * for a script, these are its interpreter and the script.
 */
static bool program_listed(const char *programs)
{
	const char *started = (const char *)getauxval(AT_EXECFN);
	char path[4096];
	long length = REAL3(SYS_readlink, "/proc/self/exe", path, sizeof(path) - 1);

	if (!failed(length)) {
		path[length] = '\0';
		if (options_program_listed(programs, path))
			return true;
	}
	return started != NULL && options_program_listed(programs, started);
}

static void read_environment(void)
{
	int saved = errno;

	/* Reading says what is wrong. */
	log_init();
	options_read(&process_options, environment);
	/* Such a program's memory is no business of ours, whatever brought us into it. */
	if (getauxval(AT_SECURE) != 0)
		process_options.on = false;
	if (process_options.programs[0] != '\0' && !program_listed(process_options.programs))
		process_options.on = false;
	log_set_level(process_options.log);
	log_set_file(process_options.log_file);
	errno = saved;
}

/*
 * The first call may come before any constructor, and from a signal handler that interrupted the first call: the table's
 * lock keeps signals away and may nest.
 */
const struct options *options_get(void)
{
	static _Atomic bool done;

	if (__builtin_expect(atomic_load_explicit(&done, memory_order_acquire), true))
		return &process_options;
	attach_lock();
	if (!atomic_load_explicit(&done, memory_order_relaxed)) {
		read_environment();
		atomic_store_explicit(&done, true, memory_order_release);
	}
	attach_unlock();
	return &process_options;
}
