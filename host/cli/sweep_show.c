/* A sweep as a table, CSV, JSON and a figure. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/gnuplot.h"
#include "report/report.h"
#include "sweep.h"
#include "text.h"

/* ---- the table ------------------------------------------------------------------------
 */

/* Parameters that differ between designs have a column; the others stand above. */
typedef struct columns {
  int clock, memory, ub, acc;
} columns;

static columns columns_of(const systole_sweep *s) {
  columns c = {0, 0, 0, 0};
  for (size_t i = 1; i < s->count; i++) {
    const systole_design *a = &s->designs[0], *b = &s->designs[i];
    c.clock |= a->clock_mhz < b->clock_mhz || a->clock_mhz > b->clock_mhz;
    c.memory |= strcmp(a->memory, b->memory) != 0;
    c.ub |= a->ub_rows != b->ub_rows;
    c.acc |= a->acc_rows != b->acc_rows;
  }
  return c;
}

static void show_design(const systole_design *d, const systole_sweep *s,
                        const columns *c) {
  char a[SystoleText], b[SystoleText], g[SystoleText], e[SystoleText], p[SystoleText];
  char share[24];
  printf("  %5d", d->dim);
  if (c->clock) printf(" %7s", systole_text_figure(a, d->clock_mhz));
  if (c->memory) printf(" %-20.20s", d->port);
  if (c->ub) printf(" %8u", d->ub_rows);
  if (c->acc) printf(" %7u", d->acc_rows);
  if (!d->done) {
    printf("  not possible: %s\n", d->why);
    return;
  }
  snprintf(share, sizeof share, "%.1f %%", 100 * d->utilisation);
  printf(" %15s %9s %11s %9s %9s %8s%s%s%s\n", systole_text_count(a, d->cycles),
         systole_text_figure(b, 1e3 * d->seconds), share,
         systole_text_figure(g, systole_design_gops(d)),
         systole_text_figure(e, 1e3 * d->energy_j.nominal),
         systole_text_figure(p, d->power_w.nominal),
         d == s->best ? systole_text_good() : systole_text_dim(),
         d == s->best ? "  best"
         : !d->within ? "  over a limit"
                      : "",
         systole_text_plain());
}

static void show_best(const systole_sweep *s) {
  char a[SystoleText], b[SystoleText], e[SystoleText], low[SystoleText],
      high[SystoleText], p[SystoleText];
  const systole_design *d = s->best;
  if (d == NULL) {
    printf("\n  no design is within the limits\n");
    return;
  }
  const char *by = strcmp(s->best_by, "product") == 0 ? "time x energy" : s->best_by;
  printf(
      "\n  best by %s%s: %d x %d at %s MHz, memory %s: %s ms, %s mJ (%s to %s), %s W\n",
      by,
      s->limits.power_w > 0 || s->limits.ms > 0 || s->limits.mj > 0 ||
              s->limits.macs > 0 || s->limits.dsp > 0
          ? " within the limits"
          : "",
      d->dim, d->dim, systole_text_figure(a, d->clock_mhz), d->port,
      systole_text_figure(b, 1e3 * d->seconds),
      systole_text_figure(e, 1e3 * d->energy_j.nominal),
      systole_text_figure(low, 1e3 * d->energy_j.low),
      systole_text_figure(high, 1e3 * d->energy_j.high),
      systole_text_figure(p, d->power_w.nominal));
}

void systole_sweep_show(const systole_sweep *s) {
  char a[SystoleText];
  const columns c = columns_of(s);
  printf("%s%s%s\n", systole_text_bold(), s->title, systole_text_plain());
  printf("  %zu designs", s->count);
  if (!c.clock) printf(", %s MHz", systole_text_figure(a, s->designs[0].clock_mhz));
  if (!c.memory) printf(", memory %s", s->designs[0].port);
  printf("; cycles without data, energy modelled for %s\n\n",
         s->technology != NULL ? s->technology : "45nm");
  printf("%s  %5s", systole_text_dim(), "Dim");
  if (c.clock) printf(" %7s", "MHz");
  if (c.memory) printf(" %-20s", "memory");
  if (c.ub) printf(" %8s", "ub");
  if (c.acc) printf(" %7s", "acc");
  printf(" %15s %9s %11s %9s %9s %8s%s\n", "cycles", "ms", "utilisation", "GOP/s", "mJ",
         "W", systole_text_plain());
  for (size_t i = 0; i < s->count; i++) show_design(&s->designs[i], s, &c);
  show_best(s);
}

/* ---- CSV ------------------------------------------------------------------------------
 */

static const struct {
  const char *name;
  size_t offset;
} ledger_parts[] = {{"active", offsetof(systole_ledger, active)},
                    {"start", offsetof(systole_ledger, start)},
                    {"drain", offsetof(systole_ledger, drain)},
                    {"output_stall", offsetof(systole_ledger, output_stall)},
                    {"input_stall", offsetof(systole_ledger, input_stall)},
                    {"weight_stall", offsetof(systole_ledger, weight_stall)},
                    {"weight_shift", offsetof(systole_ledger, weight_shift)},
                    {"other", offsetof(systole_ledger, other)}};
enum { LedgerParts = sizeof ledger_parts / sizeof ledger_parts[0] };

static uint64_t ledger_part(const systole_design *d, int part) {
  uint64_t value;
  memcpy(&value, (const char *)&d->ledger + ledger_parts[part].offset, sizeof value);
  return value;
}

/* RFC 4180. */
static void put_text(FILE *file, const char *text) {
  fputs(",\"", file);
  for (; *text != '\0'; text++) {
    if (*text == '"') fputc('"', file);
    fputc(*text == '\n' ? ' ' : *text, file);
  }
  fputc('"', file);
}

void systole_sweep_csv(FILE *file, const systole_sweep *s) {
  fputs(
      "dim,array_macs,dsp,clock_mhz,memory,ub_rows,acc_rows,macs,cycles,ms,utilisation,"
      "gops,energy_mj_low,energy_mj,energy_mj_high,power_w_low,power_w,power_w_high,"
      "within,best,why",
      file);
  for (int p = 0; p < LedgerParts; p++) fprintf(file, ",%s", ledger_parts[p].name);
  fputs("\r\n", file);
  for (size_t i = 0; i < s->count; i++) {
    const systole_design *d = &s->designs[i];
    fprintf(file, "%d,%d,%" PRIu64 ",%.9g", d->dim, d->dim * d->dim,
            systole_design_dsps(d), d->clock_mhz);
    put_text(file, d->memory);
    if (d->done) {
      fprintf(file, ",%u,%u,%" PRIu64 ",%" PRIu64 ",%.9g,%.9g,%.9g", d->geometry.ub_rows,
              d->geometry.acc_rows, d->macs, d->cycles, 1e3 * d->seconds, d->utilisation,
              systole_design_gops(d));
      fprintf(file, ",%.9g,%.9g,%.9g,%.9g,%.9g,%.9g", 1e3 * d->energy_j.low,
              1e3 * d->energy_j.nominal, 1e3 * d->energy_j.high, d->power_w.low,
              d->power_w.nominal, d->power_w.high);
    } else {
      fputs(",,,,,,,,,,,,,", file);
    }
    fprintf(file, ",%s,%s", d->within ? "true" : "false",
            d == s->best ? "true" : "false");
    put_text(file, d->why);
    for (int p = 0; p < LedgerParts; p++) {
      if (d->done) {
        fprintf(file, ",%" PRIu64, ledger_part(d, p));
      } else {
        fputc(',', file);
      }
    }
    fputs("\r\n", file);
  }
}

/* ---- JSON -----------------------------------------------------------------------------
 */

static int add_bounds(cJSON *object, const char *key, const systole_bounds *b) {
  if (b->kind == SYSTOLE_KIND_UNKNOWN) return 1;
  cJSON *entry = cJSON_AddObjectToObject(object, key);
  return entry != NULL && cJSON_AddStringToObject(entry, "kind", "modelled") &&
         cJSON_AddNumberToObject(entry, "low", b->low) &&
         cJSON_AddNumberToObject(entry, "nominal", b->nominal) &&
         cJSON_AddNumberToObject(entry, "high", b->high);
}

static cJSON *design_json(const systole_design *d) {
  cJSON *o = cJSON_CreateObject();
  int good = o != NULL && cJSON_AddNumberToObject(o, "dim", d->dim) &&
             systole_json_u64(o, "array_macs", (uint64_t)d->dim * (uint64_t)d->dim) &&
             systole_json_u64(o, "dsp", systole_design_dsps(d)) &&
             cJSON_AddNumberToObject(o, "clock_mhz", d->clock_mhz) &&
             cJSON_AddStringToObject(o, "memory", d->memory) &&
             cJSON_AddBoolToObject(o, "within", d->within) &&
             cJSON_AddBoolToObject(o, "possible", d->done);
  if (good && !d->done) good = cJSON_AddStringToObject(o, "why", d->why) != NULL;
  if (good && d->done) {
    good = cJSON_AddNumberToObject(o, "ub_rows", d->geometry.ub_rows) &&
           cJSON_AddNumberToObject(o, "acc_rows", d->geometry.acc_rows) &&
           systole_json_u64(o, "macs", d->macs) &&
           systole_json_u64(o, "cycles", d->cycles) &&
           cJSON_AddNumberToObject(o, "seconds", d->seconds) &&
           cJSON_AddNumberToObject(o, "utilisation", d->utilisation) &&
           cJSON_AddNumberToObject(o, "gops", systole_design_gops(d)) &&
           add_bounds(o, "energy_j", &d->energy_j) &&
           add_bounds(o, "power_w", &d->power_w);
    cJSON *ledger = good ? cJSON_AddObjectToObject(o, "ledger") : NULL;
    good = ledger != NULL;
    for (int p = 0; good && p < LedgerParts; p++) {
      good = systole_json_u64(ledger, ledger_parts[p].name, ledger_part(d, p));
    }
  }
  if (good) return o;
  cJSON_Delete(o);
  return NULL;
}

static int add_limits(cJSON *object, const systole_sweep_limits *l) {
  cJSON *entry = cJSON_AddObjectToObject(object, "limits");
  return entry != NULL &&
         (!(l->power_w > 0) || cJSON_AddNumberToObject(entry, "power_w", l->power_w)) &&
         (!(l->ms > 0) || cJSON_AddNumberToObject(entry, "ms", l->ms)) &&
         (!(l->mj > 0) || cJSON_AddNumberToObject(entry, "mj", l->mj)) &&
         (l->macs == 0 || systole_json_u64(entry, "macs", l->macs)) &&
         (l->dsp == 0 || systole_json_u64(entry, "dsp", l->dsp));
}

cJSON *systole_sweep_json(const systole_sweep *s) {
  cJSON *object = cJSON_CreateObject();
  int good = object != NULL && cJSON_AddStringToObject(object, "workload", s->workload) &&
             cJSON_AddStringToObject(object, "title", s->title) &&
             cJSON_AddTrueToObject(object, "timing_only") &&
             cJSON_AddStringToObject(object, "technology",
                                     s->technology != NULL ? s->technology : "45nm") &&
             cJSON_AddStringToObject(object, "best_by", s->best_by) &&
             add_limits(object, &s->limits);
  cJSON *array = good ? cJSON_AddArrayToObject(object, "designs") : NULL;
  good = array != NULL;
  for (size_t i = 0; good && i < s->count; i++) {
    cJSON *entry = design_json(&s->designs[i]);
    good = entry != NULL && cJSON_AddItemToArray(array, entry);
  }
  if (good && s->best != NULL) {
    cJSON *entry = design_json(s->best);
    good = entry != NULL && cJSON_AddItemToObject(object, "best", entry);
  }
  if (good) return object;
  cJSON_Delete(object);
  return NULL;
}

/* ---- the figure -----------------------------------------------------------------------
 */

enum { MaxSeries = 12 };

static int height(const systole_report *report) {
  (void)report;
  return 600;
}

static int present(const systole_report *report) { return report->result_count > 0; }

/* Time over energy; a line joins the sizes of one clock and memory. The last device of
 * the report is the best design alone. */
static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  double left = INFINITY, right = 0, low = INFINITY, high = 0;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_stats *s = &report->results[i].stats;
    left = fmin(left, 1e3 * s->energy_j.low);
    right = fmax(right, 1e3 * s->energy_j.high);
    low = fmin(low, 1e3 * s->seconds);
    high = fmax(high, 1e3 * s->seconds);
  }
  systole_figure_frame(script, theme);
  (void)systole_figure_log_range(script, 'x', left, right);
  (void)systole_figure_log_range(script, 'y', low, high);
  fputs(
      "set format x '%g'\nset format y '%g'\n"
      "set xlabel 'energy in mJ, modelled, with its low and high bound'\n"
      "set ylabel 'time in ms'\nset key width 2\n",
      script);
  for (size_t d = 0; d < report->device_count; d++) {
    fprintf(script, "$series%zu << EOD\n", d);
    for (size_t i = 0; i < report->result_count; i++) {
      const systole_result *r = &report->results[i];
      if (systole_figure_device(report, r) != d) continue;
      fprintf(script, "%.9g %.9g %.9g %.9g %d\n", 1e3 * r->stats.energy_j.nominal,
              1e3 * r->stats.seconds, 1e3 * r->stats.energy_j.low,
              1e3 * r->stats.energy_j.high, r->geometry.dim);
    }
    fputs("EOD\n", script);
  }
  fputs("plot ", script);
  for (size_t d = 0; d < report->device_count; d++) {
    const int is_best = strcmp(report->devices[d].kind, "best") == 0;
    const char *colour =
        is_best ? systole_palette_ink(theme) : systole_palette_device(report, d, theme);
    if (d > 0) fputs(", \\\n  ", script);
    if (is_best) {
      fprintf(script,
              "$series%zu using 1:2 with points lc rgb '%s' lw 2 pt 6 ps 2.6 title ", d,
              colour);
    } else {
      /* Bounds are thin: the designs are what is compared. */
      fprintf(script,
              "$series%zu using 1:2:3:4 with xerrorbars lc rgb '%s' lw 0.5 pt 0 notitle, "
              "\\\n  $series%zu using 1:2 with linespoints lc rgb '%s' lw 1.6 pt %d ps 1 "
              "title ",
              d, colour, d, colour, systole_palette_point(d, 1));
    }
    systole_figure_string(script, report->devices[d].name);
    if (is_best) continue;
    fprintf(
        script,
        ", \\\n  $series%zu using 1:2:5 with labels offset 0.8,0.7 left textcolor rgb "
        "'%s' notitle",
        d, colour);
  }
  fputs("\n", script);
}

static const systole_figure figure = {.name = "sweep",
                                      .title = "Time over energy of every design",
                                      .caption = "",
                                      .present = present,
                                      .height = height,
                                      .draw = draw};

/* "300 MHz, hbm2" */
static void series_name(char out[64], const systole_design *d, const columns *c) {
  char clock[SystoleText], rows[40] = "";
  if (c->ub || c->acc) {
    snprintf(rows, sizeof rows, ", %u and %u rows", d->geometry.ub_rows,
             d->geometry.acc_rows);
  }
  snprintf(out, 64, "%.8s MHz, %.20s%.24s", systole_text_figure(clock, d->clock_mhz),
           d->port, rows);
}

static void put_result(systole_result *r, const systole_design *d, const char *device) {
  snprintf(r->device, sizeof r->device, "%s", device);
  r->geometry = d->geometry;
  r->stats.seconds = d->seconds;
  r->stats.energy_j = d->energy_j;
}

int systole_sweep_draw(const systole_sweep *s, const char *folder, char *why,
                       size_t why_size) {
  const columns c = columns_of(s);
  systole_report_device *devices = calloc(MaxSeries + 1, sizeof *devices);
  systole_result *results = calloc(s->count + 1, sizeof *results);
  systole_report report = {.devices = devices, .results = results};
  int good = 0;
  snprintf(why, why_size, "this machine has no memory for it");
  if (devices == NULL || results == NULL) goto done;
  for (size_t i = 0; i < s->count; i++) {
    char name[64];
    if (!s->designs[i].done) continue;
    series_name(name, &s->designs[i], &c);
    size_t d = 0;
    while (d < report.device_count && strcmp(devices[d].name, name) != 0) d++;
    if (d == MaxSeries) continue; /* more lines than anybody tells apart */
    if (d == report.device_count) {
      snprintf(devices[d].name, sizeof devices[d].name, "%s", name);
      report.device_count++;
    }
    put_result(&results[report.result_count++], &s->designs[i], name);
  }
  if (s->best != NULL) {
    systole_report_device *d = &devices[report.device_count++];
    snprintf(d->name, sizeof d->name, "best by %s", s->best_by);
    snprintf(d->kind, sizeof d->kind, "best");
    put_result(&results[report.result_count++], s->best, d->name);
  }
  snprintf(why, why_size, "no design is possible");
  good = report.result_count > 0 &&
         systole_gnuplot_draw(&figure, &report, folder, why, why_size);

done:
  free(results);
  free(devices);
  return good;
}
