#include "card_energy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signals.h"
#include "story.h"
#include "text.h"

typedef struct work {
  const systole_weights *weights;
  const systole_job *job;
  void *c;
} work;

static systole_status repeat(void *user) {
  const work *w = user;
  return systole_gemm_s8_prepared(w->weights, w->job->m, w->job->a,
                                  w->job->k > 0 ? w->job->k : 1, w->c,
                                  w->job->n > 0 ? w->job->n : 1, NULL);
}

static int asked_to_stop(void *user) {
  (void)user;
  return systole_interrupted();
}

void systole_card_address(char *out, size_t bytes, const char *device) {
  const char *card = strstr(device, ":card=");
  out[0] = '\0';
  if (card == NULL || strchr(card, '.') == NULL) return;
  card += strlen(":card=");
  const char *end = strstr(card, ":cu=");
  (void)snprintf(out, bytes, "%.*s", end != NULL ? (int)(end - card) : (int)strlen(card),
                 card);
}

int systole_card_energy_measure(systole_power_report *out, const systole_station *station,
                                const systole_job *job, const systole_stats *stats,
                                void *c, double seconds) {
  char card[64];
  const char *name = systole_device_name(station->device);
  const char *root = getenv("SYSTOLE_ROOT");
  const int real_tree = root == NULL || root[0] == '\0';
  if (station->geometry.dim == 0 || strncmp(name, "xrt:", 4) != 0 ||
      (real_tree && stats->clock_kind == SYSTOLE_KIND_ASSUMED)) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--card-power reads a card's sensors, and %s is %s; leave it out", name,
        station->geometry.dim == 0 ? "no card" : "simulated, so it draws nothing");
  }
  systole_weights *weights = NULL;
  systole_status status =
      systole_weights_prepare(&weights, station->device, job->n, job->k, job->b,
                              job->n > 0 ? job->n : 1, job->epilogue);
  systole_card_address(card, sizeof card, name);
  if (status == SYSTOLE_OK) {
    work w = {weights, job, c};
    status = systole_power_measure(out, card, seconds, repeat, asked_to_stop, &w);
  }
  systole_weights_free(weights);
  if (status == SYSTOLE_ERR_INTERRUPTED) return systole_interrupted_story();
  return systole_story_of(status, "--card-power");
}

static int add_bounds(cJSON *object, const char *key, const systole_bounds *b) {
  cJSON *entry = cJSON_AddObjectToObject(object, key);
  return entry != NULL &&
         cJSON_AddStringToObject(entry, "kind", systole_kind_word(b->kind)) != NULL &&
         cJSON_AddNumberToObject(entry, "low", b->low) != NULL &&
         cJSON_AddNumberToObject(entry, "nominal", b->nominal) != NULL &&
         cJSON_AddNumberToObject(entry, "high", b->high) != NULL;
}

int systole_card_energy_json(cJSON *object, const systole_power_report *r) {
  cJSON *entry = cJSON_AddObjectToObject(object, "card_power");
  return entry != NULL && cJSON_AddStringToObject(entry, "source", r->source) != NULL &&
         systole_json_u64(entry, "runs", r->runs) &&
         cJSON_AddNumberToObject(entry, "samples", r->samples) != NULL &&
         cJSON_AddNumberToObject(entry, "idle_s", r->idle_s) != NULL &&
         cJSON_AddNumberToObject(entry, "busy_s", r->busy_s) != NULL &&
         add_bounds(entry, "idle_w", &r->idle_w) &&
         add_bounds(entry, "power_w", &r->power_w) &&
         add_bounds(entry, "incremental_w", &r->incremental_w) &&
         add_bounds(entry, "energy_j", &r->energy_j) &&
         add_bounds(entry, "incremental_j", &r->incremental_j) &&
         (!r->has_temperature ||
          cJSON_AddNumberToObject(entry, "temperature_c", r->temperature_c) != NULL);
}

static void show_bounds(const char *name, const systole_bounds *b, double factor,
                        const char *unit) {
  char low[SystoleText], nominal[SystoleText], high[SystoleText];
  printf("    %-22s %10s %s   (%s to %s)\n", name,
         systole_text_figure(nominal, factor * b->nominal), unit,
         systole_text_figure(low, factor * b->low),
         systole_text_figure(high, factor * b->high));
}

void systole_card_energy_show(const systole_power_report *r) {
  printf("\n  measured at the card: %s, %d samples while %" PRIu64
         " products ran in %.1f s\n",
         r->source, r->samples, r->runs, r->busy_s);
  show_bounds("at rest", &r->idle_w, 1, "W");
  show_bounds("at work", &r->power_w, 1, "W");
  show_bounds("the work's part", &r->incremental_w, 1, "W");
  show_bounds("a product, all", &r->energy_j, 1000, "mJ");
  show_bounds("a product, its part", &r->incremental_j, 1000, "mJ");
  if (r->has_temperature)
    printf("    %-22s %10.1f C\n", "FPGA, at most", r->temperature_c);
}
