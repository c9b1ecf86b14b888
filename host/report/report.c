#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "report/csv.h"
#include "report/figure.h"
#include "report/gnuplot.h"
#include "report/html.h"
#include "report/json.h"
#include "report/utf8.h"
#include "signals.h"
#include "story.h"

void systole_report_date(systole_report *report) {
  time_t now = time(NULL);
  struct tm utc;
  const char *fixed = getenv("SOURCE_DATE_EPOCH");
  if (fixed != NULL && fixed[0] != '\0') now = (time_t)strtoll(fixed, NULL, 10);
  if (gmtime_r(&now, &utc) == NULL ||
      strftime(report->date, sizeof report->date, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
    report->date[0] = '\0';
  }
}

const systole_table *systole_report_table(const systole_report *report,
                                          const char *name) {
  return systole_tables_find(report->tables, name);
}

double systole_report_array_peak(const systole_result *result) {
  const double dim = result->geometry.dim;
  return 2 * dim * dim * result->stats.clock_mhz * 1e6 / 1e9;
}

static int write_json(const systole_report *report, const char *path) {
  cJSON *object = systole_report_json(report);
  char *text = object != NULL ? cJSON_Print(object) : NULL;
  systole_output *output = NULL;
  int code = text != NULL ? systole_output_open(&output, path)
                          : systole_story_errno(ENOMEM, "cannot write %s", path);
  if (code == 0) {
    systole_utf8_put(systole_output_file(output), text);
    fputc('\n', systole_output_file(output));
    code = systole_output_commit(output);
  }
  free(text);
  cJSON_Delete(object);
  return code;
}

static int write_csv(const systole_report *report, const char *path) {
  systole_output *output = NULL;
  int code = systole_output_open(&output, path);
  if (code != 0) return code;
  systole_report_csv(systole_output_file(output), report);
  return systole_output_commit(output);
}

/* tables/NAME.csv of each table that the workload added. */
static int write_tables(const systole_tables *tables, systole_folder *folder) {
  const size_t count = systole_tables_count(tables);
  int code = count > 0 ? systole_folder_inside(folder, "tables") : 0;
  for (size_t i = 0; i < count && code == 0; i++) {
    const systole_table *table = systole_tables_at(tables, i);
    systole_output *output = NULL;
    char *path = NULL;
    if (asprintf(&path, "%s/tables/%s.csv", systole_folder_place(folder),
                 systole_table_name(table)) < 0) {
      return systole_story_errno(ENOMEM, "cannot write the report");
    }
    code = systole_output_open(&output, path);
    if (code == 0) {
      systole_table_csv(systole_output_file(output), table);
      code = systole_output_commit(output);
    }
    free(path);
  }
  return code;
}

static int write_html(const systole_report *report, const char *path, const char *figures,
                      const char *warning) {
  systole_output *output = NULL;
  int code = systole_output_open(&output, path);
  if (code != 0) return code;
  code = systole_report_html(systole_output_file(output), report, figures, warning);
  if (code == 0) return systole_output_commit(output);
  systole_output_discard(output);
  return code;
}

/* They live in the page only. */
static void remove_page_pictures(const char *figures) {
  for (int i = 0; systole_figure_at(i) != NULL; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-light.svg", figures, systole_figure_at(i)->name);
    unlink(path);
    snprintf(path, sizeof path, "%s/%s-dark.svg", figures, systole_figure_at(i)->name);
    unlink(path);
  }
}

int systole_report_write(const systole_report *report, systole_folder *folder,
                         const char **warning) {
  static _Thread_local char warning_text[512];
  char why[256];
  const char *place = systole_folder_place(folder);
  char *figures = NULL, *path = NULL;
  *warning = NULL;
  int code = systole_folder_inside(folder, "figures");
  if (code != 0) return code;
  if (asprintf(&figures, "%s/figures", place) < 0) {
    figures = NULL;
    code = systole_story_errno(ENOMEM, "cannot write the report");
    goto done;
  }
  for (int i = 0; systole_figure_at(i) != NULL; i++) {
    const systole_figure *figure = systole_figure_at(i);
    if (!figure->present(report)) continue;
    if (systole_interrupted()) {
      code = systole_interrupted_story();
      goto done;
    }
    if (!systole_gnuplot_draw(figure, report, figures, why, sizeof why) &&
        *warning == NULL) {
      snprintf(warning_text, sizeof warning_text,
               "the report lacks figures, the first of them '%s': %s; results.json and "
               "results.csv are complete, and so are the figures' scripts",
               figure->name, why);
      *warning = warning_text;
    }
  }
  static const char *const names[] = {"results.json", "results.csv", "report.html"};
  for (int i = 0; i < 3 && code == 0; i++) {
    free(path);
    if (asprintf(&path, "%s/%s", place, names[i]) < 0) {
      path = NULL;
      code = systole_story_errno(ENOMEM, "cannot write the report");
    } else {
      code = i == 0   ? write_json(report, path)
             : i == 1 ? write_csv(report, path)
                      : write_html(report, path, figures, *warning);
    }
  }
  remove_page_pictures(figures);
  if (code == 0) code = write_tables(report->tables, folder);

done:
  free(path);
  free(figures);
  return code;
}
