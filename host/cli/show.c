#include "show.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/shares.h"
#include "report/utf8.h"
#include "story.h"
#include "systole/energy.h"
#include "text.h"

static void row(const char *name, const char *figure) {
  printf("  %s%-13s%s %-15s", systole_text_dim(), name, systole_text_plain(), figure);
}

static void show_shape(const systole_result *result) {
  const systole_conv2d *c = &result->conv;
  printf(" %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64 " -> %" PRId64
         " x %" PRId64 " x %" PRId64 ", kernel %" PRId64 " x %" PRId64,
         c->batch, c->height, c->width, c->channels, result->out_height,
         result->out_width, c->out_channels, c->kernel_height, c->kernel_width);
  if (c->groups > 1) printf(", %" PRId64 " groups", c->groups);
}

static void show_heading(const systole_result *result) {
  printf("%s%s%s   %s", systole_text_bold(), result->device, systole_text_plain(),
         result->workload);
  if (!result->has_conv) {
    printf(" %" PRId64 " x %" PRId64 " x %" PRId64, result->m, result->n, result->k);
  }
  if (result->has_conv) show_shape(result);
  if (result->has_seed) printf(", seed %" PRIu64, result->seed);
  if (result->stats.timing_only) {
    printf("   timing only: nothing was computed\n\n");
  } else if (!result->checked) {
    printf("   not checked\n\n");
  } else if (result->format != SYSTOLE_FORMAT_S8) {
    printf("   %s%s%s (largest error %.2g |a| |b|, bound %.2g, checked by %s)\n\n",
           result->mismatches == 0 ? systole_text_good() : systole_text_bad(),
           result->mismatches == 0 ? "good" : "WRONG", systole_text_plain(),
           result->largest_error, result->error_bound, result->checked_by);
  } else if (result->mismatches == 0) {
    printf("   %sexact%s (checked against %s)\n\n", systole_text_good(),
           systole_text_plain(), result->checked_by);
  } else {
    printf("   %sWRONG: %" PRIu64 " elements%s (checked against %s)\n\n",
           systole_text_bad(), result->mismatches, systole_text_plain(),
           result->checked_by);
  }
}

static void show_power(const systole_result *result) {
  const systole_bounds *power = &result->stats.power_w, *energy = &result->stats.energy_j;
  const systole_bounds efficiency = systole_result_efficiency(result);
  char a[SystoleText], b[SystoleText], c[SystoleText], figure[SystoleText + 16];
  if (power->kind != SYSTOLE_KIND_UNKNOWN) {
    snprintf(figure, sizeof figure, "%s W", systole_text_figure(a, power->nominal));
    row("power", figure);
    const char *technology = result->stats.technology;
    printf("between %s and %s W, %s", systole_text_figure(b, power->low),
           systole_text_figure(c, power->high), systole_kind_word(power->kind));
    if (power->kind == SYSTOLE_KIND_MODELLED && technology != NULL)
      printf(" for %s", systole_technology_title(technology));
    printf("\n");
  }
  if (efficiency.kind != SYSTOLE_KIND_UNKNOWN) {
    snprintf(figure, sizeof figure, "%s %s/W", systole_text_figure(a, efficiency.nominal),
             systole_result_unit(result));
    row("efficiency", figure);
    printf("between %s and %s, %s", systole_text_figure(b, efficiency.low),
           systole_text_figure(c, efficiency.high), systole_kind_word(efficiency.kind));
    if (energy->kind != SYSTOLE_KIND_UNKNOWN) {
      printf("; %s mJ", systole_text_figure(a, 1000 * energy->nominal));
    }
    printf("\n");
  }
}

/* How far the run is from what physics asks of it. */
static void show_landauer(const systole_result *result) {
  const systole_stats *stats = &result->stats;
  const systole_bounds times =
      systole_energy_landauer_times(&stats->energy_j, stats->macs);
  char figure[SystoleText];
  if (times.kind == SYSTOLE_KIND_UNKNOWN) return;
  snprintf(figure, sizeof figure, "%.1e times", times.nominal);
  row("physics", figure);
  printf("Landauer's limit (%d bits a MAC at %g K), between %.1e and %.1e, %s\n",
         SYSTOLE_LANDAUER_BITS_PER_MAC, SYSTOLE_LANDAUER_KELVIN, times.low, times.high,
         systole_kind_word(times.kind));
}

static void show_ledger(const systole_stats *stats) {
  char count[SystoleText], bar[160];
  printf("\n  where the %s cycles went\n", systole_text_count(count, stats->cycles));
  for (int part = 0; part < SystoleLedgerParts; part++) {
    const uint64_t cycles = systole_ledger_part(&stats->ledger, part);
    const double share = stats->cycles > 0 ? (double)cycles / (double)stats->cycles : 0;
    printf("    %-13s %14s  %5.1f %%  %s\n", systole_ledger_name(part),
           systole_text_count(count, cycles), 100 * share,
           systole_text_bar(bar, share, 32));
  }
}

/* Of an array, whose host and link are beside its clock. */
static void show_shares(const systole_result *result) {
  systole_shares shares;
  char seconds[SystoleText];
  systole_shares_of_result(&shares, result);
  if (!shares.known || !result->stats.has_cycles) return;
  const double whole = systole_shares_total(&shares);
  row("end to end", systole_text_seconds(seconds, whole));
  printf("host %.0f %%", 100 * shares.host_s / whole);
  if (shares.transfer_kind != SYSTOLE_KIND_UNKNOWN) {
    printf(", transfer %.0f %% (%s link)", 100 * shares.transfer_s / whole,
           systole_kind_word(shares.transfer_kind));
  }
  printf(", compute %.0f %%\n", 100 * shares.compute_s / whole);
}

void systole_show_result(const systole_result *result) {
  const systole_stats *stats = &result->stats;
  char a[SystoleText], b[SystoleText], figure[SystoleText + 16];
  show_heading(result);
  if (stats->seconds > 0) {
    snprintf(figure, sizeof figure, "%s %s", systole_text_figure(a, stats->gops),
             systole_result_unit(result));
    row("throughput", figure);
    if (stats->has_cycles) {
      const char *kind = systole_kind_word(stats->clock_kind);
      printf("at %s MHz%s%s%s", systole_text_figure(b, stats->clock_mhz),
             kind != NULL ? " (" : "", kind != NULL ? kind : "", kind != NULL ? ")" : "");
      if (stats->memory != NULL) printf(", memory %s", stats->memory);
      printf("\n");
    } else {
      printf("%s", stats->kernel != NULL ? stats->kernel : "");
      if (result->threads > 0) {
        printf(" on %d thread%s", result->threads, result->threads == 1 ? "" : "s");
      }
      printf("\n");
    }
  }
  if (stats->has_cycles) {
    snprintf(figure, sizeof figure, "%.1f %%", 100 * stats->utilisation);
    row("utilisation", figure);
    printf("of %d x %d MACs each cycle", result->geometry.dim, result->geometry.dim);
    if (isfinite(stats->utilisation_ceiling)) {
      printf("; this shape allows %.1f %%", 100 * stats->utilisation_ceiling);
    }
    printf("\n");
  }
  const double percent = systole_result_percent_of_peak(result);
  if (percent >= 0) {
    snprintf(figure, sizeof figure, "%.1f %%", percent);
    row("of the peak", figure);
    printf("%s %s, %s with %s\n", systole_text_figure(a, result->peak_gops),
           systole_result_unit(result), systole_kind_word(result->peak_kind),
           result->peak_instruction != NULL && result->peak_instruction[0] != '\0'
               ? result->peak_instruction
               : "a register-only loop");
  }
  const double of_bandwidth = systole_result_percent_of_bandwidth(result);
  if (of_bandwidth >= 0) {
    snprintf(figure, sizeof figure, "%.1f %%", of_bandwidth);
    row("of bandwidth", figure);
    printf("%s GB/s, measured by a loop that only reads as many bytes\n",
           systole_text_figure(a, result->bandwidth_gbs));
  }
  if (stats->has_cycles) {
    row("time", systole_text_seconds(a, stats->seconds));
    printf("%s cycles on the device\n", systole_text_count(b, stats->cycles));
  } else if (result->repeats > 1) {
    row("time", systole_text_seconds(a, stats->seconds));
    /* Quartiles are of what one waits for, which may be more than the device's time. */
    printf("median of %d runs; %shalf of them between ", result->repeats,
           result->wall_low_s > stats->seconds ? "with rounding and packing " : "");
    printf("%s and ", systole_text_seconds(a, result->wall_low_s));
    printf("%s\n", systole_text_seconds(a, result->wall_high_s));
  }
  if (stats->compute_s > 0 && stats->wall_s > 0) {
    snprintf(figure, sizeof figure, "%.0f %%", 100 * stats->compute_s / stats->wall_s);
    row("computing", figure);
    printf("%s %s on the device alone; transfers took %.0f %%, the host %.0f %%\n",
           systole_text_figure(a, 2e-9 * (double)stats->macs / stats->compute_s),
           systole_result_unit(result), 100 * stats->transfer_s / stats->wall_s,
           100 * stats->host_share);
  }
  show_shares(result);
  show_power(result);
  show_landauer(result);
  if (stats->has_cycles) {
    row("memory", systole_text_bytes(a, stats->dram_read_bytes));
    printf("read, %s written\n", systole_text_bytes(b, stats->dram_write_bytes));
  }
  row("you waited", systole_text_seconds(a, stats->wall_s));
  printf("%s of CPU time", systole_text_seconds(b, stats->cpu_s));
  if (stats->host_share > 0) printf("; packing took %.0f %%", 100 * stats->host_share);
  if (stats->sim_cpu_s > 0 && stats->macs > 0) {
    printf("; simulated at %s GMAC per CPU second",
           systole_text_figure(a, (double)stats->macs / stats->sim_cpu_s / 1e9));
  }
  printf("\n");
  if (stats->has_cycles) show_ledger(stats);
  systole_show_explanation(&result->explanation);
}

/* `text` in lines of about `width` columns, each after `indent`. */
static void show_wrapped(const char *text, const char *indent, int width) {
  int column = 0;
  while (*text != '\0') {
    const int length = (int)strcspn(text, " ");
    if (column > 0 && column + 1 + length > width) column = 0, printf("\n");
    column += printf("%s%.*s", column == 0 ? indent : " ", length, text);
    text += length;
    while (*text == ' ') text++;
  }
  printf("\n");
}

void systole_show_explanation(const systole_explanation *e) {
  if (e->limit[0] == '\0') return;
  printf("\n  why\n");
  show_wrapped(e->sentence, "    ", 88);
  for (int i = 0; i < e->count; i++) {
    const systole_advice *a = &e->advice[i];
    char gops[SystoleText];
    printf("%s  %-34s %5.1f %%  %8s GOP/s%s  %s\n",
           i == 0 ? "\n  try (forecast)\n  " : "  ", a->say, 100 * a->utilisation,
           systole_text_figure(gops, a->gops), systole_text_dim(),
           a->hardware ? "needs another build of the hardware" : a->command);
    printf("%s", systole_text_plain());
  }
}

int systole_show_json(cJSON *object) {
  char *text = object != NULL ? cJSON_PrintUnformatted(object) : NULL;
  if (text == NULL) return systole_story_errno(ENOMEM, "cannot write the JSON object");
  systole_utf8_put(stdout, text);
  putchar('\n');
  free(text);
  return 0;
}
