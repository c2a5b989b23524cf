/* SPDX-License-Identifier: PostgreSQL */
/*
 * options.c - what the environment asks of the library.
 *
 * options_read() is the only place that looks at the environment.  A value that makes no sense turns
 * the library off: guessing what a server's owner meant is worse than doing nothing.
 */
#include "options.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static bool parse_level(const char *text, enum log_level *level)
{
	static const char *const words[] = { "error", "warn", "info", "debug" };

	for (int i = 0; i < 4; i++)
		if (strcasecmp(text, words[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

static bool parse_mount(const char *text, struct options *options)
{
	if (text[0] != '/' || strlen(text) >= sizeof(options->mount))
		return false;
	strcpy(options->mount, text);
	return true;
}

/* Says what is wrong with an option, always to the same pattern. */
static bool reject(const char *name, const char *value, const char *expected)
{
	log_line(LOG_LEVEL_ERROR, "%s=\"%.200s\" makes no sense: expected %s; correct or unset it (the library stays off)",
		 name, value, expected);
	return false;
}

bool options_read(struct options *options, options_source source)
{
	const char *value;
	bool valid = true;

	*options = (struct options){ .on = true, .log = LOG_LEVEL_WARN, .min_size = DEFAULT_MIN_SIZE,
				     .mount = DEFAULT_MOUNT };
	/* An empty value is one that was not given: shells make it hard to unset a variable for one command. */
	if ((value = source("MSHARE")) != NULL && *value && !parse_bool(value, &options->on))
		valid = reject("MSHARE", value, "on or off");
	if ((value = source("MSHARE_MIN_SIZE")) != NULL && *value && !options_parse_size(value, &options->min_size))
		valid = reject("MSHARE_MIN_SIZE", value, "a number of bytes, or one with kB, MB, GB or TB, such as 64MB");
	if ((value = source("MSHARE_MOUNT")) != NULL && *value && !parse_mount(value, options))
		valid = reject("MSHARE_MOUNT", value, "the absolute path of an msharefs mount, below 256 bytes");
	if ((value = source("MSHARE_LOG")) != NULL && *value && !parse_level(value, &options->log))
		valid = reject("MSHARE_LOG", value, "error, warn, info or debug");
	if ((value = source("MSHARE_STRICT")) != NULL && *value && !parse_bool(value, &options->strict))
		valid = reject("MSHARE_STRICT", value, "0 or 1");
	options->on = options->on && valid;
	return valid;
}

static struct options process_options;

/* secure_getenv: whoever starts a privileged program does not choose what is mapped into it. */
static const char *environment(const char *name)
{
	return secure_getenv(name);
}

static void read_environment(void)
{
	int saved = errno;

	options_read(&process_options, environment);
	log_set_level(process_options.log);
	errno = saved;
}

const struct options *options_get(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_environment);
	return &process_options;
}
