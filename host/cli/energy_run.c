#include "energy_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card_energy.h"
#include "number.h"
#include "signals.h"
#include "story.h"
#include "text.h"

static const double longest_s = 3600;

int systole_energy_wish_parse(systole_energy_wish *wish, const char *text) {
  const int code = systole_parse_positive(&wish->window_s, text, "--energy");
  if (code == 0 && !(wish->window_s <= longest_s)) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--energy is %s; give 0.02 to %g seconds",
                         text, longest_s);
  }
  return code;
}

int systole_energy_place(systole_energy_of *of, char address[SYSTOLE_ENERGY_ADDRESS],
                         const systole_station *station, const systole_stats *stats,
                         char *reason, size_t reason_bytes) {
  const char *root = getenv("SYSTOLE_ROOT"), *name = systole_device_name(station->device);
  const int real_tree = root == NULL || root[0] == '\0';
  systole_energy_of_device(station->device, of, address);
  if (*of != SYSTOLE_ENERGY_OF_CARD) return 1;
  systole_card_address(address, SYSTOLE_ENERGY_ADDRESS, name);
  if (strncmp(name, "xrt:", 4) == 0 &&
      !(real_tree && stats->clock_kind == SYSTOLE_KIND_ASSUMED)) {
    return 1;
  }
  (void)snprintf(reason, reason_bytes,
                 "%.64s is simulated and draws nothing; its energy is modelled from the "
                 "events that were counted, and shown without --energy",
                 name);
  return 0;
}

systole_energy_wish systole_energy_unasked(systole_energy_of of) {
  systole_energy_wish wish = {0, NULL, 0};
  systole_energy_source *list = NULL;
  size_t count = 0;
  const char *word = of == SYSTOLE_ENERGY_OF_CPU   ? "CPU"
                     : of == SYSTOLE_ENERGY_OF_GPU ? "GPU"
                                                   : NULL;
  if (word == NULL || systole_energy_source_list(&list, &count) != SYSTOLE_OK)
    return wish;
  for (size_t i = 0; i < count; i++) {
    if (!list[i].usable || strcmp(list[i].of, word) != 0 ||
        strcmp(list[i].name, "model") == 0) {
      continue;
    }
    /* Sensors of GPUs want seconds, so one pair of windows has to do. */
    wish.window_s = of == SYSTOLE_ENERGY_OF_CPU ? 0.1 : 2;
    wish.windows = of == SYSTOLE_ENERGY_OF_CPU ? 3 : 1;
  }
  systole_energy_source_list_free(list);
  return wish;
}

typedef struct work {
  const systole_weights *weights;
  const systole_job *job;
  void *c;
} work;

static systole_status repeat(void *user) {
  const work *w = user;
  const systole_job *job = w->job;
  const int64_t lda = job->k > 0 ? job->k : 1, ldc = job->n > 0 ? job->n : 1;
  return systole_weights_format(w->weights) == SYSTOLE_FORMAT_S8
             ? systole_gemm_s8_prepared(w->weights, job->m, job->a, lda, w->c, ldc, NULL)
             : systole_gemm_f32_prepared(w->weights, job->m, job->a_f32, lda, w->c, ldc,
                                         NULL);
}

static int asked_to_stop(void *user) {
  (void)user;
  return systole_interrupted();
}

int systole_energy_run(systole_result *result, const systole_station *station,
                       const systole_job *job, void *c, const systole_energy_wish *wish) {
  systole_energy_options options = SYSTOLE_ENERGY_OPTIONS_INIT;
  systole_energy_report report;
  systole_weights *weights = NULL;
  char address[SYSTOLE_ENERGY_ADDRESS], reason[256];
  if (!systole_energy_place(&options.of, address, station, &result->stats, reason,
                            sizeof reason)) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--energy: %s", reason);
  }
  options.address = address;
  options.source = wish->source;
  options.window_s = wish->window_s;
  options.windows = wish->windows;
  options.threads = station->threads;
  options.asked_to_stop = asked_to_stop;
  int code = systole_station_prepare(&weights, station, job);
  if (code == 0) {
    work w = {weights, job, c};
    const systole_status status = systole_energy_measure(&report, &options, repeat, &w);
    code = status == SYSTOLE_ERR_INTERRUPTED ? systole_interrupted_story()
                                             : systole_story_of(status, "--energy");
  }
  systole_weights_free(weights);
  if (code != 0) return code;
  result->has_energy = 1;
  result->energy = report;
  result->stats.power_w = report.power_w;
  result->stats.energy_j = report.energy_j;
  if (report.power_w.kind == SYSTOLE_KIND_MEASURED) result->stats.technology = NULL;
  return 0;
}

static void show_bounds(const char *name, const systole_bounds *b, double factor,
                        const char *unit) {
  char low[SystoleText], nominal[SystoleText], high[SystoleText];
  if (b->kind == SYSTOLE_KIND_UNKNOWN) return;
  printf("    %-22s %10s %s   (%s to %s)\n", name,
         systole_text_figure(nominal, factor * b->nominal), unit,
         systole_text_figure(low, factor * b->low),
         systole_text_figure(high, factor * b->high));
}

void systole_energy_show(const systole_result *result) {
  const systole_energy_report *r = &result->energy;
  char low[SystoleText], high[SystoleText];
  if (!result->has_energy) return;
  printf("\n  energy, %s: %s\n    %d window%s of %.3g s, %" PRIu64 " runs in %.3g s",
         systole_kind_word(r->energy_j.kind), r->source, r->windows,
         r->windows == 1 ? "" : "s", r->window_s, r->runs, r->busy_s);
  if (r->idle_s > 0) printf(", as much rest before each");
  printf("\n");
  if (r->why[0] != '\0') printf("    not measured: %s\n", r->why);
  show_bounds("at rest", &r->idle_w, 1, "W");
  show_bounds("at work", &r->power_w, 1, "W");
  show_bounds("the work's part", &r->incremental_w, 1, "W");
  show_bounds("a run, all", &r->energy_j, 1000, "mJ");
  show_bounds("a run, its part", &r->incremental_j, 1000, "mJ");
  printf("    %-22s %10s to %s mJ a run\n", "windows differ from",
         systole_text_figure(low, 1000 * r->spread_low_j),
         systole_text_figure(high, 1000 * r->spread_high_j));
}
