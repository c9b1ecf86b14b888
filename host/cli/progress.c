#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "signals.h"
#include "support/clock.h"

void systole_bar_start(systole_bar *bar, const char *title) {
  memset(bar, 0, sizeof *bar);
  snprintf(bar->title, sizeof bar->title, "%s", title);
  bar->started = systole_wall_seconds();
  bar->terminal = isatty(STDERR_FILENO);
}

static void draw(const systole_bar *bar, double seconds, uint64_t done, uint64_t total) {
  struct winsize window = {0};
  int columns = 80;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
    columns = window.ws_col;
  }
  if (done == 0) {
    /* Nothing is known yet but that the work goes on. */
    fprintf(stderr, "\r\033[K%.60s ... %.0f s", bar->title, seconds);
    fflush(stderr);
    return;
  }
  const double part = total > 0 ? (double)done / (double)total : 0;
  char left[32] = "";
  if (part > 0.01) {
    const double rest = seconds * (1 - part) / part;
    if (rest >= 90) {
      snprintf(left, sizeof left, ", %.0f min left", rest / 60);
    } else {
      snprintf(left, sizeof left, ", %.0f s left", rest);
    }
  }
  char tail[96], rate[32] = "";
  if (!bar->steps) {
    snprintf(rate, sizeof rate, "  %.0f MMAC/s", (double)done / seconds / 1e6);
  }
  snprintf(tail, sizeof tail, " %3.0f %%%s%s", 100 * part, rate, left);
  int room = columns - 5 - (int)strlen(bar->title) - (int)strlen(tail);
  if (room > 40) room = 40;
  char blocks[41] = "";
  if (room >= 5) {
    const int full = (int)(part * room);
    memset(blocks, '-', (size_t)room);
    memset(blocks, '#', (size_t)(full < room ? full : room));
    blocks[room] = '\0';
  }
  char line[256];
  snprintf(line, sizeof line, "%s [%s]%s", bar->title, blocks, tail);
  fprintf(stderr, "\r\033[K%.*s", columns - 1, line);
  fflush(stderr);
}

int systole_bar_update(void *user, uint64_t done_macs, uint64_t total_macs) {
  systole_bar *bar = user;
  const double now = systole_wall_seconds();
  if (bar->terminal && now - bar->started > 1.0 && now - bar->drawn > 0.1) {
    bar->drawn = now;
    bar->visible = 1;
    draw(bar, now - bar->started, done_macs, total_macs);
  }
  return systole_interrupted();
}

void systole_bar_steps(systole_bar *bar, uint64_t done, uint64_t total) {
  bar->steps = 1;
  (void)systole_bar_update(bar, done, total);
}

void systole_bar_end(systole_bar *bar) {
  if (bar->visible) {
    fputs("\r\033[K", stderr);
    fflush(stderr);
  }
  bar->visible = 0;
}
