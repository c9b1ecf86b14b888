/* A figure: writes gnuplot commands for one theme; gnuplot.c makes files of them. */
#ifndef SYSTOLE_REPORT_FIGURE_H
#define SYSTOLE_REPORT_FIGURE_H

#include <stdio.h>

#include "report/palette.h"
#include "report/report.h"

typedef struct systole_figure {
  const char *name; /* of its files: "throughput" */
  const char *title;
  const char *caption; /* what it says and how to read it; HTML */
  /* 1 when the report has something to draw. */
  int (*present)(const systole_report *report);
  /* Height in units of an SVG that is 960 wide. */
  int (*height)(const systole_report *report);
  void (*draw)(FILE *script, const systole_report *report, systole_theme theme);
  /* Name of the table (table.h) whose numbers it draws; the page shows it below. NULL:
   * the table of all runs. */
  const char *table;
} systole_figure;

extern const systole_figure systole_figure_throughput;
extern const systole_figure systole_figure_ledger;
extern const systole_figure systole_figure_roofline;
extern const systole_figure systole_figure_power;
extern const systole_figure systole_figure_landscape;
extern const systole_figure systole_figure_network_one;
extern const systole_figure systole_figure_network_batch;
extern const systole_figure systole_figure_amdahl;
extern const systole_figure systole_figure_serving;
extern const systole_figure systole_figure_energy;
extern const systole_figure systole_figure_shares;
extern const systole_figure systole_figure_formats;

/* In the order of the page; NULL behind the last one. */
const systole_figure *systole_figure_at(int index);

/* ---- what figures share --------------------------------------------------------- */

/* A gnuplot string in single quotes. */
void systole_figure_string(FILE *script, const char *text);

/* Text, frame, grid and legend in the theme's colours. */
void systole_figure_frame(FILE *script, systole_theme theme);

typedef struct systole_range {
  double from, to;
} systole_range;

/* "set xrange" or "set yrange" on a log scale, 1, 2 or 5 x 10^n at both ends. */
systole_range systole_figure_log_range(FILE *script, char axis, double low, double high);

/* The legend of a device: what is measured, what is modelled. */
void systole_figure_legend(char *out, size_t size, const systole_report *report,
                           size_t device);

/* Index of the result's device in the report. */
size_t systole_figure_device(const systole_report *report, const systole_result *result);

/* 1 when at least one drawable result of that device exists. */
int systole_figure_has(const systole_report *report, size_t device);

#endif
