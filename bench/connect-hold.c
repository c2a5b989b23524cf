/* SPDX-License-Identifier: PostgreSQL */
/*
 * connect-hold.c - open many PostgreSQL connections, time each, and hold them
 * open while somebody looks at their backends.
 *
 * usage: connect-hold CLIENTS JOBS CONNINFO
 *
 * With one job, connections are opened one by one; with more, as many are
 * under way at the same time, and a new one is begun when one of them is done.
 *
 * Standard output gets one line of JSON per event.  After the first one
 * ("connected") commands are read from standard input, a line each:
 *
 *	run JOBS SQL	run SQL on every connection, at most JOBS at the same time
 *	close		close all connections and exit; end of file does the same
 *
 * Exit status: 0, 1 when the server refused something, 2 for bad usage.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_CLIENTS	100000
/* Descriptors that are not connections: the standard ones and some room. */
#define SPARE_FILES	32

struct client {
	PGconn *conn;
	double started;		/* when the running query was sent */
	double ms;		/* how long the last connect or query took */
	char *value;		/* first column of the last query's first row */
};

static struct client *clients;
static int nclients;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static void print_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

/* Reports what went wrong, as the last event, and ends the program. */
static void fail(int client, const char *message)
{
	printf("{\"event\": \"failed\", \"client\": %d, \"message\": ", client);
	print_json_string(message);
	printf("}\n");
	exit(1);
}

static void print_times(const char *event, double seconds)
{
	printf("{\"event\": \"%s\", \"seconds\": %.3f, \"ms\": [", event,
	       seconds);
	for (int i = 0; i < nclients; i++)
		printf("%s%.3f", i ? ", " : "", clients[i].ms);
	printf("]");
}

/* Every connection is a descriptor; the soft limit is often 1024. */
static void raise_file_limit(void)
{
	rlim_t needed = nclients + SPARE_FILES;
	struct rlimit limit;
	char message[128];

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = needed;
	if (limit.rlim_max < needed)
		limit.rlim_max = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return;
	snprintf(message, sizeof(message),
		 "%d clients need %lu file descriptors: raise ulimit -n",
		 nclients, (unsigned long)needed);
	fail(0, message);
}

static void check_connected(int i)
{
	if (PQstatus(clients[i].conn) != CONNECTION_OK)
		fail(i, PQerrorMessage(clients[i].conn));
}

static void connect_one(int i, const char *conninfo)
{
	double start = now_ms();

	clients[i].conn = PQconnectdb(conninfo);
	clients[i].ms = now_ms() - start;
	check_connected(i);
}

static void begin_connect(int i, const char *conninfo)
{
	clients[i].started = now_ms();
	clients[i].conn = PQconnectStart(conninfo);
	if (!clients[i].conn || PQstatus(clients[i].conn) == CONNECTION_BAD)
		fail(i, clients[i].conn ? PQerrorMessage(clients[i].conn) :
					  "out of memory");
}

/* Goes on with a connection; true once it is there.  Sets what to wait for. */
static bool go_on(int i, struct pollfd *slot)
{
	PostgresPollingStatusType status = PQconnectPoll(clients[i].conn);

	if (status == PGRES_POLLING_FAILED)
		fail(i, PQerrorMessage(clients[i].conn));
	if (status == PGRES_POLLING_OK) {
		clients[i].ms = now_ms() - clients[i].started;
		check_connected(i);
		return true;
	}
	/* libpq may have gone on to another socket. */
	slot->fd = PQsocket(clients[i].conn);
	slot->events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	return false;
}

/* The last slot moves into one whose work has ended. */
static void free_slot(struct pollfd *slots, int *owner, int slot, int *running)
{
	(*running)--;
	slots[slot] = slots[*running];
	owner[slot] = owner[*running];
}

static void connect_parallel(int jobs, const char *conninfo)
{
	struct pollfd *slots = calloc(jobs, sizeof(*slots));
	int *owner = calloc(jobs, sizeof(*owner));
	int next = 0, running = 0;

	if (!slots || !owner)
		fail(0, "out of memory");

	while (next < nclients || running > 0) {
		for (; running < jobs && next < nclients; running++, next++) {
			begin_connect(next, conninfo);
			owner[running] = next;
			slots[running].fd = PQsocket(clients[next].conn);
			/* As libpq says: as if the first poll had said "writing". */
			slots[running].events = POLLOUT;
		}
		poll(slots, running, -1);
		for (int s = running - 1; s >= 0; s--)
			if (slots[s].revents && go_on(owner[s], &slots[s]))
				free_slot(slots, owner, s, &running);
	}

	free(slots);
	free(owner);
}

static void connect_all(int jobs, const char *conninfo)
{
	double start = now_ms();

	if (jobs > 1)
		connect_parallel(jobs, conninfo);
	else
		for (int i = 0; i < nclients; i++)
			connect_one(i, conninfo);

	print_times("connected", (now_ms() - start) / 1e3);
	printf(", \"pids\": [");
	for (int i = 0; i < nclients; i++)
		printf("%s%d", i ? ", " : "", PQbackendPID(clients[i].conn));
	printf("]}\n");
}

static void send_query(int i, const char *sql)
{
	clients[i].started = now_ms();
	if (!PQsendQuery(clients[i].conn, sql))
		fail(i, PQerrorMessage(clients[i].conn));
}

static void keep_value(struct client *client, const PGresult *result)
{
	const char *value = "";

	if (PQntuples(result) > 0 && PQnfields(result) > 0)
		value = PQgetvalue(result, 0, 0);
	free(client->value);
	client->value = strdup(value);
	if (!client->value)
		fail(0, "out of memory");
}

/* Takes what has arrived for a connection; true once its query has ended. */
static bool receive(int i)
{
	struct client *client = &clients[i];
	PGresult *result;

	if (!PQconsumeInput(client->conn))
		fail(i, PQerrorMessage(client->conn));
	while (!PQisBusy(client->conn)) {
		result = PQgetResult(client->conn);
		if (!result) {
			client->ms = now_ms() - client->started;
			return true;
		}
		if (PQresultStatus(result) != PGRES_TUPLES_OK &&
		    PQresultStatus(result) != PGRES_COMMAND_OK)
			fail(i, PQerrorMessage(client->conn));
		keep_value(client, result);
		PQclear(result);
	}
	return false;
}

static void print_values(void)
{
	printf(", \"values\": [");
	for (int i = 0; i < nclients; i++) {
		printf("%s", i ? ", " : "");
		print_json_string(clients[i].value);
	}
	printf("]}\n");
}

/* Runs the query on every connection, at most @jobs at the same time. */
static void run_on_all(int jobs, const char *sql)
{
	struct pollfd *slots = calloc(jobs, sizeof(*slots));
	int *owner = calloc(jobs, sizeof(*owner));
	double start = now_ms();
	int next = 0, running = 0;

	if (!slots || !owner)
		fail(0, "out of memory");

	while (next < nclients || running > 0) {
		for (; running < jobs && next < nclients; running++, next++) {
			send_query(next, sql);
			owner[running] = next;
			slots[running].fd = PQsocket(clients[next].conn);
			slots[running].events = POLLIN;
		}
		poll(slots, running, -1);
		/* Backwards: the last slot moves into one that ends. */
		for (int s = running - 1; s >= 0; s--)
			if (slots[s].revents && receive(owner[s]))
				free_slot(slots, owner, s, &running);
	}

	free(slots);
	free(owner);
	print_times("ran", (now_ms() - start) / 1e3);
	print_values();
}

static void run_command(char *line)
{
	char *sql;
	long jobs = strtol(line, &sql, 10);

	if (jobs < 1 || jobs > nclients || *sql != ' ')
		fail(0, "run needs a number of jobs and a query");
	run_on_all(jobs, sql + 1);
}

static void serve_commands(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "close") == 0)
			break;
		if (strncmp(line, "run ", 4) != 0)
			fail(0, "unknown command");
		run_command(line + 4);
	}
	free(line);
}

static void close_all(void)
{
	for (int i = 0; i < nclients; i++) {
		PQfinish(clients[i].conn);
		free(clients[i].value);
	}
	free(clients);
	printf("{\"event\": \"closed\"}\n");
}

/* A number from 1 to @most, or 0. */
static int parse_number(const char *s, long most)
{
	char *end;
	long n = strtol(s, &end, 10);

	return *s && !*end && n >= 1 && n <= most ? (int)n : 0;
}

int main(int argc, char **argv)
{
	int jobs = 0;

	if (argc == 4 && (nclients = parse_number(argv[1], MAX_CLIENTS)))
		jobs = parse_number(argv[2], nclients);
	if (!jobs) {
		fprintf(stderr, "usage: connect-hold CLIENTS JOBS CONNINFO "
			"(1 to %d clients, and no more jobs)\n", MAX_CLIENTS);
		return 2;
	}
	clients = calloc(nclients, sizeof(*clients));
	if (!clients)
		fail(0, "out of memory");

	/* The reader waits for whole lines. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	raise_file_limit();
	connect_all(jobs, argv[3]);
	serve_commands();
	close_all();
	return 0;
}
