/* Where an accelerator's time goes: the host's work, transfers and computing. */
#ifndef SYSTOLE_REPORT_SHARES_H
#define SYSTOLE_REPORT_SHARES_H

#include "report/report.h"

typedef struct systole_shares {
  int known;         /* 0: no accelerator, or nothing tells; the rest is 0 */
  double host_s;     /* packing, unpacking, commands: measured on this machine */
  double transfer_s; /* between host and device; 0 with kind UNKNOWN: within host_s */
  systole_kind transfer_kind;
  double compute_s; /* of the device alone */
  systole_kind compute_kind;
} systole_shares;

/* PCI Express 3.0 x16 as Alveo cards have it: 16 lanes x 8 GT/s, 128 of 130 bits (PCI
 * Express Base Specification 3.0), in GB/s each way. Simulated cards have no link: theirs
 * is assumed to be this one, at its line rate and without latency. */
#define SYSTOLE_LINK_GBS (16 * 8.0 * 128 / 130 / 8)

/* What a product moves when its weights are already there: A and C in blocks of dim
 * columns; with_weights: B, too. */
double systole_shares_link_bytes(const systole_geometry *geometry, int64_t m, int64_t n,
                                 int64_t k, int int8_results, int with_weights);

/* `link_bytes` is used for simulated devices only. */
void systole_shares_of(systole_shares *out, const systole_stats *stats,
                       const systole_geometry *geometry, double link_bytes);

/* The same for a run of the report, its link bytes worked out. */
void systole_shares_of_result(systole_shares *out, const systole_result *result);

double systole_shares_total(const systole_shares *shares);

/* What the transfer's figure means, for tables: a source. */
const char *systole_shares_transfer_source(systole_kind kind);

/* Adds the table "shares": every run of an accelerator, nothing when there is none. */
void systole_shares_table(systole_tables *tables, const systole_report *report);

#endif
