#include "report/shares.h"

#include <string.h>

static double up(int64_t value, int dim) {
  return (double)((value + dim - 1) / dim) * dim;
}

double systole_shares_link_bytes(const systole_geometry *geometry, int64_t m, int64_t n,
                                 int64_t k, int int8_results, int with_weights) {
  const int dim = geometry->dim;
  if (dim < 1) return 0;
  const double rows = (double)m, element = int8_results ? 1 : 4;
  return rows * up(k, dim) + rows * up(n, dim) * element +
         (with_weights ? up(k, dim) * up(n, dim) : 0);
}

void systole_shares_of(systole_shares *out, const systole_stats *stats,
                       const systole_geometry *geometry, double link_bytes) {
  memset(out, 0, sizeof *out);
  if (stats->has_cycles && geometry->dim > 0) {
    out->known = stats->seconds > 0;
    out->host_s = stats->host_share * stats->wall_s;
    out->compute_s = stats->seconds;
    if (stats->clock_kind == SYSTOLE_KIND_MEASURED) { /* a card: copies are in host_s */
      out->compute_kind = SYSTOLE_KIND_MEASURED;
      return;
    }
    out->compute_kind = SYSTOLE_KIND_MODELLED;
    out->transfer_s = link_bytes / (1e9 * SYSTOLE_LINK_GBS);
    out->transfer_kind = SYSTOLE_KIND_ASSUMED;
    return;
  }
  if (stats->compute_s > 0) {
    const double host = stats->seconds - stats->compute_s - stats->transfer_s;
    out->known = 1;
    out->host_s = host > 0 ? host : 0;
    out->transfer_s = stats->transfer_s;
    out->transfer_kind = SYSTOLE_KIND_MEASURED;
    out->compute_s = stats->compute_s;
    out->compute_kind = SYSTOLE_KIND_MEASURED;
  }
}

/* A convolution's image and result lie in blocks of dim channels. */
static double conv_bytes(const systole_result *r) {
  const systole_conv2d *c = &r->conv;
  const int dim = r->geometry.dim;
  const double in = (double)(c->batch * c->height * c->width) * up(c->channels, dim);
  const double out = (double)(c->batch * r->out_height * r->out_width) *
                     up(c->out_channels, dim) * (r->int8_results ? 1 : 4);
  const double weights = (double)(c->out_channels * c->kernel_height * c->kernel_width) *
                         up(c->channels / (c->groups > 0 ? c->groups : 1), dim);
  return in + out + weights;
}

void systole_shares_of_result(systole_shares *out, const systole_result *r) {
  const double bytes =
      r->geometry.dim < 1 ? 0
      : r->has_conv
          ? conv_bytes(r)
          : systole_shares_link_bytes(&r->geometry, r->m, r->n, r->k, r->int8_results, 1);
  systole_shares_of(out, &r->stats, &r->geometry, bytes);
}

double systole_shares_total(const systole_shares *shares) {
  return shares->host_s + shares->transfer_s + shares->compute_s;
}

const char *systole_shares_transfer_source(systole_kind kind) {
  return kind == SYSTOLE_KIND_MEASURED
             ? "the device's own profiling of its copies"
             : "bytes over PCI Express 3.0 x16 at its line rate of 15.75 GB/s, without "
               "latency: the simulation has no link";
}

static void put_part(systole_table *table, systole_kind kind, double part, double whole,
                     const char *source) {
  if (kind == SYSTOLE_KIND_UNKNOWN) {
    systole_table_empty(table);
    systole_table_empty(table);
  } else {
    systole_table_number(table, kind, 1e3 * part, source);
    systole_table_number(table, kind, 100 * part / whole, source);
  }
}

void systole_shares_table(systole_tables *tables, const systole_report *report) {
  systole_table *table = NULL;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    systole_shares shares;
    systole_shares_of_result(&shares, r);
    if (!shares.known) continue;
    if (table == NULL) {
      table = systole_tables_add(
          tables, "shares", "Host, transfer and compute",
          "From matrices in the host's memory to the result there, weights packed and "
          "sent each time: the host's part was measured on this machine (packing, "
          "unpacking, commands), compute is the device's own. A simulated card has no "
          "link to its host: its transfers are the bytes over PCI Express 3.0 x16 at "
          "line "
          "rate, an assumption. Of a real card without its own profile, transfers are "
          "part of the host's share.");
      systole_table_column(table, "run", "product", "");
      systole_table_column(table, "device", "device", "");
      systole_table_column(table, "end_to_end_ms", "end to end", "ms");
      systole_table_column(table, "host_ms", "host", "ms");
      systole_table_column(table, "host_percent", "host", "%");
      systole_table_column(table, "transfer_ms", "transfer", "ms");
      systole_table_column(table, "transfer_percent", "transfer", "%");
      systole_table_column(table, "compute_ms", "compute", "ms");
      systole_table_column(table, "compute_percent", "compute", "%");
      systole_table_column(table, "gops_end_to_end", "end to end", "GOP/s");
      systole_table_column(table, "gops_device", "device only", "GOP/s");
    }
    const double whole = systole_shares_total(&shares);
    const systole_kind kind = shares.compute_kind;
    systole_table_row(table);
    systole_table_text(table, r->label);
    systole_table_text(table, r->device);
    systole_table_number(table, kind, 1e3 * whole, "the three parts together");
    put_part(table, SYSTOLE_KIND_MEASURED, shares.host_s, whole,
             "wall time on this machine");
    put_part(table, shares.transfer_kind, shares.transfer_s, whole,
             systole_shares_transfer_source(shares.transfer_kind));
    put_part(table, kind, shares.compute_s, whole,
             kind == SYSTOLE_KIND_MEASURED ? "the device's own clock"
                                           : "exact cycles over the assumed clock");
    systole_table_number(table, kind, 2e-9 * (double)r->stats.macs / whole,
                         "operations over the time from end to end");
    systole_table_number(table, kind, 2e-9 * (double)r->stats.macs / shares.compute_s,
                         "operations over the device's time");
  }
}
