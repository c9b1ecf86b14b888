#include "report/junit.h"

#include <inttypes.h>

#include "report/change.h"
#include "report/utf8.h"
#include "text.h"

typedef enum outcome { Passed, Failed, Skipped } outcome;

static outcome outcome_of(const systole_result *r, const systole_change *change) {
  if (r != NULL && r->checked && r->mismatches > 0) return Failed;
  if (change != NULL && systole_verdict_fails(change->verdict)) return Failed;
  if (change != NULL && change->verdict == SYSTOLE_VERDICT_ABSENT) return Skipped;
  return r != NULL && !r->checked && change == NULL ? Skipped : Passed;
}

/* A failure's attribute `message`: one sentence. */
static void put_message(FILE *file, const systole_result *r,
                        const systole_change *change) {
  char before[64], after[64], percent[64];
  if (r != NULL && r->checked && r->mismatches > 0) {
    fprintf(file, "%" PRIu64 " wrong elements", r->mismatches);
    return;
  }
  if (change == NULL) {
    fputs("not checked", file);
    return;
  }
  systole_change_figure(before, sizeof before, change, 0);
  systole_change_figure(after, sizeof after, change, 1);
  systole_change_percent(percent, sizeof percent, change);
  fputs(systole_verdict_word(change->verdict), file);
  if (change->has_before && change->has_after) {
    fprintf(file, ": %s before, %s now, %s (allowed %.3g %%)", before, after, percent,
            change->tolerance);
  }
  if (change->why[0] != '\0') {
    fputs(": ", file);
    systole_xml_put(file, change->why);
  }
}

static void put_case(FILE *file, const systole_report *report, const systole_result *r,
                     const systole_change *change) {
  char text[SystoleText];
  const outcome own = outcome_of(r, change);
  fputs("    <testcase classname=\"systole.", file);
  systole_xml_put(file, report->workload);
  fputc('.', file);
  systole_xml_put(file, r != NULL ? r->device : change->device);
  fputs("\" name=\"", file);
  systole_xml_put(file, r != NULL ? r->label : change->label);
  fprintf(file, "\" time=\"%.6f\">\n", r != NULL ? r->stats.wall_s : 0);
  if (own == Failed) {
    fprintf(file, "      <failure type=\"%s\" message=\"",
            change != NULL && systole_verdict_fails(change->verdict)
                ? systole_verdict_word(change->verdict)
                : "wrong");
    put_message(file, r, change);
    fputs("\"/>\n", file);
  } else if (own == Skipped) {
    fputs("      <skipped message=\"", file);
    put_message(file, r, change);
    fputs("\"/>\n", file);
  }
  if (r != NULL && r->stats.gops > 0) {
    fprintf(file, "      <system-out>%s GOP/s, %s",
            systole_text_figure(text, r->stats.gops),
            systole_result_is_modelled(r) ? "modelled" : "measured");
    if (r->stats.has_cycles) fprintf(file, ", %" PRIu64 " cycles", r->stats.cycles);
    if (change != NULL && own != Failed) {
      fputs("; ", file);
      put_message(file, NULL, change);
    }
    fputs("</system-out>\n", file);
  }
  fputs("    </testcase>\n", file);
}

static const systole_change *change_of(const systole_report *report, size_t index) {
  return report->comparison != NULL ? &report->comparison->list[index] : NULL;
}

void systole_report_junit(FILE *file, const systole_report *report) {
  const size_t runs = report->result_count;
  const size_t cases = report->comparison != NULL ? report->comparison->count : runs;
  size_t failures = 0, skipped = 0;
  for (size_t i = 0; i < cases; i++) {
    const outcome own =
        outcome_of(i < runs ? &report->results[i] : NULL, change_of(report, i));
    failures += own == Failed;
    skipped += own == Skipped;
  }
  fprintf(file,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"systole "
          "compare\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" "
          "time=\"%.3f\">\n  <testsuite name=\"systole.",
          cases, failures, skipped, report->wall_s);
  systole_xml_put(file, report->workload);
  fprintf(file,
          "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\"",
          cases, failures, skipped, report->wall_s);
  if (report->date[0] != '\0') {
    fputs(" timestamp=\"", file);
    systole_xml_put(file, report->date);
    fputc('"', file);
  }
  fputs(">\n    <properties>\n", file);
  const char *const properties[][2] = {{"title", report->title},
                                       {"command", report->command},
                                       {"version", report->version},
                                       {"cpu", report->machine.cpu}};
  for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
    fprintf(file, "      <property name=\"%s\" value=\"", properties[i][0]);
    systole_xml_put(file, properties[i][1]);
    fputs("\"/>\n", file);
  }
  fputs("    </properties>\n", file);
  for (size_t i = 0; i < cases; i++) {
    put_case(file, report, i < runs ? &report->results[i] : NULL, change_of(report, i));
  }
  fputs("  </testsuite>\n</testsuites>\n", file);
}
