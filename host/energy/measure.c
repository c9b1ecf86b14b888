/* Windows of rest and of work, and what lies between them. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sampler.h"
#include "support/clock.h"
#include "support/error.h"

enum { UsualWindows = 3, MostWindows = 1000, RestStepMs = 20 };
static const double usual_window_s = 0.5, most_window_s = 86400;
/* Longer ones than were asked for surprise nobody up to this length. */
static const double patience_s = 10;

typedef struct window {
  uint64_t runs;
  double idle_s, busy_s;
  systole_bounds idle_w, power_w, energy_j;     /* of the source, energy of a run */
  systole_bounds model_power_w, model_energy_j; /* of the model */
} window;

typedef struct measurement {
  const systole_energy_options *options;
  systole_energy_meter *meter; /* the best source; the model when there is none */
  systole_energy_meter *model; /* NULL: there is none */
  double window_s;
  systole_status (*work)(void *user);
  void *user;
} measurement;

static int stopped(const measurement *m) {
  return m->options->asked_to_stop != NULL && m->options->asked_to_stop(m->user);
}

static systole_status interrupted(void) {
  return systole_fail(SYSTOLE_ERR_INTERRUPTED, "interrupted while measuring energy");
}

static systole_bounds per(systole_bounds b, double share) {
  const systole_bounds out = {b.kind, b.low * share, b.nominal * share, b.high * share};
  return out;
}

/* Ends a span of the best source; what another one answered for it is no reading: half a
 * measurement by one counter and half by another would be of neither. */
static void end(const measurement *m, systole_bounds *power_w, systole_bounds *energy_j) {
  systole_energy_meter_end(m->meter, power_w, energy_j);
  if (strcmp(systole_energy_meter_source(m->meter),
             systole_energy_meter_best(m->meter)) != 0) {
    power_w->kind = energy_j->kind = SYSTOLE_KIND_UNKNOWN;
  }
}

/* What rest takes. With the model alone there is nothing to learn from it. */
static systole_status rest(const measurement *m, window *w) {
  const double began = systole_wall_seconds();
  systole_energy_meter_begin(m->meter);
  while (systole_wall_seconds() - began < m->window_s) {
    systole_sampler_sleep_ms(RestStepMs);
    systole_energy_meter_poll(m->meter);
    if (stopped(m)) return interrupted();
  }
  systole_bounds joules;
  end(m, &w->idle_w, &joules);
  w->idle_s = systole_wall_seconds() - began;
  return SYSTOLE_OK;
}

static systole_status busy(const measurement *m, window *w) {
  systole_status status = SYSTOLE_OK;
  systole_energy_meter_begin(m->meter);
  if (m->model != NULL) systole_energy_meter_begin(m->model);
  const double began = systole_wall_seconds();
  do {
    status = m->work(m->user);
    w->runs++;
    systole_energy_meter_poll(m->meter);
    if (status == SYSTOLE_OK && stopped(m)) status = interrupted();
  } while (status == SYSTOLE_OK && systole_wall_seconds() - began < m->window_s);
  end(m, &w->power_w, &w->energy_j);
  w->busy_s = systole_wall_seconds() - began;
  if (m->model != NULL)
    systole_energy_meter_end(m->model, &w->model_power_w, &w->model_energy_j);
  const double share = 1.0 / (double)w->runs;
  w->energy_j = per(w->energy_j, share);
  w->model_energy_j = per(w->model_energy_j, share);
  return status;
}

/* ---- over the windows ------------------------------------------------------------- */

static int by_nominal(const void *x, const void *y) {
  const double a = ((const systole_bounds *)x)->nominal,
               b = ((const systole_bounds *)y)->nominal;
  return (a > b) - (a < b);
}

/* Median of the nominal values between the lowest and the highest bound of any. Sorts. */
static systole_bounds together(systole_bounds *all, int count) {
  systole_bounds out = all[0];
  qsort(all, (size_t)count, sizeof all[0], by_nominal);
  for (int i = 0; i < count; i++) {
    if (all[i].kind == SYSTOLE_KIND_UNKNOWN) out.kind = SYSTOLE_KIND_UNKNOWN;
    out.low = fmin(out.low, all[i].low);
    out.high = fmax(out.high, all[i].high);
  }
  out.nominal = 0.5 * (all[(count - 1) / 2].nominal + all[count / 2].nominal);
  if (out.kind == SYSTOLE_KIND_UNKNOWN) memset(&out, 0, sizeof out);
  return out;
}

static systole_bounds beyond(systole_bounds busy, systole_bounds idle) {
  const systole_bounds out = {busy.kind, busy.low - idle.high,
                              busy.nominal - idle.nominal, busy.high - idle.low};
  return out;
}

static void summarise(systole_energy_report *out, const window *windows, int count,
                      int measured, systole_bounds *room) {
#define TOGETHER(place, value)          \
  do {                                  \
    for (int i = 0; i < count; i++) {   \
      const window *w = &windows[i];    \
      room[i] = (value);                \
    }                                   \
    out->place = together(room, count); \
  } while (0)
  if (measured) {
    TOGETHER(idle_w, w->idle_w);
    TOGETHER(power_w, w->power_w);
    TOGETHER(incremental_w, beyond(w->power_w, w->idle_w));
    TOGETHER(incremental_j,
             per(beyond(w->power_w, w->idle_w), w->busy_s / (double)w->runs));
    TOGETHER(energy_j, w->energy_j);
  } else {
    TOGETHER(power_w, w->model_power_w);
    TOGETHER(energy_j, w->model_energy_j);
  }
#undef TOGETHER
  /* room holds the windows' energies in order. */
  out->spread_low_j = room[0].nominal;
  out->spread_high_j = room[count - 1].nominal;
}

/* The first window in which the source did not answer, counted from 1; 0: none. */
static int failed_window(const window *windows, int count, const char **when) {
  for (int i = 0; i < count; i++) {
    if (windows[i].idle_w.kind != SYSTOLE_KIND_MEASURED) {
      *when = "at rest";
      return i + 1;
    }
    if (windows[i].energy_j.kind != SYSTOLE_KIND_MEASURED) {
      *when = "at work";
      return i + 1;
    }
  }
  return 0;
}

static systole_status check(const systole_energy_options *options,
                            systole_status (*work)(void *user)) {
  if (work == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "measuring energy needs work to be done");
  }
  if (!(options->window_s >= 0 && options->window_s <= most_window_s)) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "windows of %g s were asked for; give 0 to %g s",
                        options->window_s, most_window_s);
  }
  if (options->windows < 0 || options->windows > MostWindows) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "%d windows were asked for; give 1 to %d",
                        options->windows, (int)MostWindows);
  }
  if (options->of < SYSTOLE_ENERGY_OF_CPU || options->of > SYSTOLE_ENERGY_OF_MACHINE) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "%d is nothing whose energy is known",
                        (int)options->of);
  }
  return SYSTOLE_OK;
}

static systole_status open_meters(measurement *m) {
  systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  options.of = m->options->of;
  options.address = m->options->address;
  options.source = m->options->source;
  options.threads = m->options->threads > 0 ? m->options->threads : 1;
  systole_status status = systole_energy_meter_open(&m->meter, &options);
  if (status != SYSTOLE_OK) return status;
  options.source = NULL;
  options.model_only = 1;
  status = systole_energy_meter_open(&m->model, &options);
  return status == SYSTOLE_ERR_NOT_FOUND ? SYSTOLE_OK : status;
}

systole_status systole_energy_measure(systole_energy_report *out,
                                      const systole_energy_options *options,
                                      systole_status (*work)(void *user), void *user) {
  const systole_energy_options usual = SYSTOLE_ENERGY_OPTIONS_INIT;
  measurement m = {
      .options = options != NULL ? options : &usual, .work = work, .user = user};
  window *windows = NULL;
  systole_bounds *room = NULL;
  if (out == NULL)
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "measuring energy needs a report");
  memset(out, 0, sizeof *out);
  systole_status status = check(m.options, work);
  if (status != SYSTOLE_OK) return status;
  const int count = m.options->windows > 0 ? m.options->windows : UsualWindows;
  windows = calloc((size_t)count, sizeof *windows);
  room = calloc((size_t)count, sizeof *room);
  status = windows == NULL || room == NULL
               ? systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left for %d windows",
                              count)
               : open_meters(&m);
  if (status != SYSTOLE_OK) goto done;

  const double shortest = systole_energy_meter_shortest_s(m.meter);
  const int coarse = m.model != NULL && m.options->source == NULL &&
                     shortest > fmax(patience_s, m.options->window_s);
  const int has_source = shortest > 0 && !coarse;
  /* A hair more, so that a window's own span is never the shorter one. */
  m.window_s = fmax(m.options->window_s > 0 ? m.options->window_s : usual_window_s,
                    has_source ? 1.001 * shortest : 0);
  const char *when = "";
  status = work(user);
  for (int i = 0; i < count && status == SYSTOLE_OK; i++) {
    if (has_source && failed_window(windows, i, &when) == 0) {
      status = rest(&m, &windows[i]);
    }
    if (status == SYSTOLE_OK) status = busy(&m, &windows[i]);
    out->runs += windows[i].runs;
    out->idle_s += windows[i].idle_s;
    out->busy_s += windows[i].busy_s;
  }
  if (status != SYSTOLE_OK) goto done;

  const int failed = has_source ? failed_window(windows, count, &when) : 0;
  const int measured = has_source && failed == 0;
  const char *missing = systole_energy_meter_missing(m.meter);
  out->of = m.options->of;
  out->windows = count;
  out->window_s = m.window_s;
  out->step_s = measured ? systole_energy_meter_step_s(m.meter) : 0;
  if (failed > 0) {
    (void)snprintf(out->why, sizeof out->why,
                   "%.120s could not be read %s in window %d of %d",
                   systole_energy_meter_best(m.meter), when, failed, count);
  } else if (coarse) {
    (void)snprintf(out->why, sizeof out->why, "%.120s needs windows of %.0f s",
                   systole_energy_meter_best(m.meter), ceil(shortest));
  } else if (!measured) {
    /* The first reason of several; a program shows the rest with source_list. */
    const char *end = strstr(missing, "; ");
    (void)snprintf(out->why, sizeof out->why, "%.*s%s",
                   end != NULL ? (int)(end - missing) : (int)strlen(missing), missing,
                   end != NULL ? "; of the other sources systole doctor tells" : "");
  }
  if (!measured && m.model == NULL) {
    char why[sizeof out->why];
    memcpy(why, out->why, sizeof why);
    status = systole_fail(SYSTOLE_ERR_DEVICE, "%s, and there is no model of it", why);
    goto done;
  }
  (void)snprintf(out->source, sizeof out->source, "%s",
                 systole_energy_meter_best(measured ? m.meter : m.model));
  summarise(out, windows, count, measured, room);
done:
  if (status != SYSTOLE_OK) memset(out, 0, sizeof *out);
  systole_energy_meter_close(m.model);
  systole_energy_meter_close(m.meter);
  free(room);
  free(windows);
  return status;
}
