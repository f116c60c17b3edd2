/* Tells gleaner-edge, on this device, what your sensors say. C99 and C++, nothing to link.
 *
 *   gleaner_sensor out;
 *   if (gleaner_sensor_open(&out, NULL) != 0) perror("gleaner_sensor_open");
 *   gleaner_sensor_number(&out, "weight", 52.31);
 *   gleaner_sensor_event(&out, "checkout-mismatch");
 *
 * A call never waits: it is one sendto(2), some microseconds. Where the daemon is away, or hasn't
 * got round to reading, the message is dropped, counted in `lost`, and the next one that goes
 * through tells the daemon how many there were. The daemon may start later, and again, at any time.
 * The names are those of [[sensor]] in its configuration; the user that this runs as must be of the
 * socket's group. One gleaner_sensor is for one thread; several are no trouble.
 */
#ifndef GLEANER_SENSOR_H
#define GLEANER_SENSOR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define GLEANER_SENSOR_PATH "/run/gleaner-edge/sensors.sock"

typedef struct {
  int socket;
  struct sockaddr_un to;
  uint64_t lost; /* since the last message that went through */
} gleaner_sensor;

/* `path` NULL: the usual one. 0, or -1 with errno. */
static inline int gleaner_sensor_open(gleaner_sensor* out, const char* path) {
  memset(out, 0, sizeof(*out));
  out->to.sun_family = AF_UNIX;
  if (path == NULL) path = GLEANER_SENSOR_PATH;
  if (strlen(path) >= sizeof(out->to.sun_path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(out->to.sun_path, path);
  out->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return out->socket < 0 ? -1 : 0;
}

static inline void gleaner_sensor_close(gleaner_sensor* out) { close(out->socket); }

/* Numbers of one moment: of a vector its components, in the order of the configuration; none for an
 * event. 0; -1 with errno: it was dropped and counted (EMSGSIZE: there are too many numbers). */
static inline int gleaner_sensor_send(gleaner_sensor* out, const char* name, const double* numbers,
                                      size_t count) {
  char text[512], *end = text;
  size_t room = sizeof(text), i;
  struct timespec now;
  int n = snprintf(end, room, "%s", name);
  for (i = 0; i <= count && n >= 0 && (size_t)n < room; ++i) {
    char* c = end;
    end += n;
    room -= (size_t)n;
    if (i > 0) { /* whatever the locale writes for a decimal point */
      for (; c < end; ++c) *c = (char)(*c == ',' ? '.' : *c);
    }
    if (i < count) n = snprintf(end, room, " %.9g", numbers[i]);
  }
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (i == count + 1)
    n = snprintf(end, room, " @%lld", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
  if (i == count + 1 && n >= 0 && (size_t)n < room && out->lost > 0) {
    end += n;
    room -= (size_t)n;
    n = snprintf(end, room, " !%llu", (unsigned long long)out->lost);
  }
  if (i != count + 1 || n < 0 || (size_t)n >= room) {
    ++out->lost;
    errno = EMSGSIZE;
    return -1;
  }
  end += n;
  if (sendto(out->socket, text, (size_t)(end - text), MSG_DONTWAIT | MSG_NOSIGNAL,
             (struct sockaddr*)&out->to, sizeof(out->to)) < 0) {
    ++out->lost;
    return -1;
  }
  out->lost = 0;
  return 0;
}

static inline int gleaner_sensor_number(gleaner_sensor* out, const char* name, double number) {
  return gleaner_sensor_send(out, name, &number, 1);
}

static inline int gleaner_sensor_event(gleaner_sensor* out, const char* name) {
  return gleaner_sensor_send(out, name, NULL, 0);
}

#endif
