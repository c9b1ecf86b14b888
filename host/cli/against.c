#include "against.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "story.h"
#include "text.h"

enum { KeyBaseline = 3000, KeyTolerance, KeyJunit, KeyMarkdown, ShownRows = 40 };

static const struct argp_option options[] = {
    {0, 0, 0, 0, "For CI:", 5},
    {"baseline", KeyBaseline, "OLD.json", 0,
     "An earlier comparison's results.json: show what changed, and end with 1 when a run "
     "is "
     "slower beyond the tolerance, missing or not comparable",
     5},
    {"tolerance", KeyTolerance, "PERCENT", 0,
     "What a run may lose (default: simulated devices no cycle, measured ones their "
     "quartiles and at least 10 %); cycles=PERCENT,measured=PERCENT sets one of them",
     5},
    {"junit", KeyJunit, "FILE", 0, "Also write JUnit XML, one test case a run", 5},
    {"markdown", KeyMarkdown, "FILE", 0, "Also write a summary for a pull request", 5},
    {0}};

static int parse_percent(double *out, const char *text) {
  char *end = NULL;
  errno = 0;
  const double value = strtod(text, &end);
  const int plain = text[0] != '\0' && strspn(text, "0123456789.") == strlen(text);
  if (!plain || *end != '\0' || errno != 0 || value > 1e6) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--tolerance is '%s'; it is a number of percent from 0 on, for "
                         "example 5, or cycles=0,measured=30",
                         text);
  }
  *out = value;
  return 0;
}

static int parse_tolerance(systole_tolerance *out, const char *text) {
  char *copy = strdup(text), *rest = NULL;
  int code = 0, parts = 0;
  if (copy == NULL) return systole_story_errno(ENOMEM, "cannot read --tolerance");
  for (char *part = strtok_r(copy, ",", &rest); part != NULL && code == 0;
       part = strtok_r(NULL, ",", &rest)) {
    parts++;
    if (strncmp(part, "cycles=", 7) == 0) {
      code = parse_percent(&out->cycles, part + 7);
    } else if (strncmp(part, "measured=", 9) == 0) {
      code = parse_percent(&out->measured, part + 9);
    } else {
      code = parse_percent(&out->cycles, part);
      out->measured = out->cycles;
    }
  }
  if (code == 0 && parts == 0) code = parse_percent(&out->cycles, text);
  free(copy);
  return code;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  systole_against *against = state->input;
  switch (key) {
    case KeyBaseline:
      against->baseline_path = text;
      break;
    case KeyTolerance:
      against->has_tolerance = 1;
      *against->failed = parse_tolerance(&against->tolerance, text);
      if (*against->failed != 0) return EINVAL;
      break;
    case KeyJunit:
      against->junit_path = text;
      break;
    case KeyMarkdown:
      against->markdown_path = text;
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

const struct argp systole_against_argp = {.options = options, .parser = parse};

int systole_against_open(systole_against *against, const char *workload) {
  int code = 0;
  if (against->has_tolerance && against->baseline_path == NULL) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--tolerance needs --baseline OLD.json: what shall be tolerated?");
  }
  if (against->junit_path != NULL && against->markdown_path != NULL &&
      strcmp(against->junit_path, against->markdown_path) == 0) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--junit and --markdown name the same file, %s: one of them would "
        "be lost",
        against->junit_path);
  }
  if (against->baseline_path != NULL) {
    code = systole_baseline_open(&against->baseline, against->baseline_path);
    if (code == 0 && strcmp(against->baseline.workload, workload) != 0) {
      code = systole_story(SYSTOLE_EXIT_USAGE,
                           "the baseline %s is of the workload %s, and this one is %s",
                           against->baseline_path, against->baseline.workload, workload);
    }
  }
  if (code == 0 && against->junit_path != NULL) {
    code = systole_output_open(&against->junit, against->junit_path);
  }
  if (code == 0 && against->markdown_path != NULL) {
    code = systole_output_open(&against->markdown, against->markdown_path);
  }
  return code;
}

int systole_against_judge(systole_against *against, systole_report *report) {
  if (against->baseline_path == NULL) return 0;
  const int code = systole_compare_runs(&against->comparison, &against->baseline, report,
                                        against->tolerance);
  if (code == 0) report->comparison = &against->comparison;
  return code;
}

int systole_against_write(systole_against *against, const systole_report *report) {
  int code = 0;
  if (against->junit != NULL) {
    systole_report_junit(systole_output_file(against->junit), report);
    code = systole_output_commit(against->junit);
    against->junit = NULL;
  }
  if (code == 0 && against->markdown != NULL) {
    systole_report_markdown(systole_output_file(against->markdown), report);
    code = systole_output_commit(against->markdown);
    against->markdown = NULL;
  }
  return code;
}

static void show_change(const systole_change *change) {
  char before[64], after[64], percent[64];
  systole_change_figure(before, sizeof before, change, 0);
  systole_change_figure(after, sizeof after, change, 1);
  systole_change_percent(percent, sizeof percent, change);
  const char *colour = systole_verdict_fails(change->verdict)      ? systole_text_bad()
                       : change->verdict == SYSTOLE_VERDICT_FASTER ? systole_text_good()
                                                                   : "";
  printf("  %-22s %-12s %s%-14s%s %20s %20s  %9s", change->label, change->device, colour,
         systole_verdict_word(change->verdict),
         colour[0] != '\0' ? systole_text_plain() : "", before, after, percent);
  if (change->has_before && change->has_after) {
    printf("  allowed %.3g %%", change->tolerance);
  }
  if (change->why[0] != '\0') printf("  %s", change->why);
  printf("\n");
}

void systole_against_show(const systole_against *against) {
  const systole_comparison *comparison = &against->comparison;
  if (comparison->baseline == NULL) return;
  char summary[256];
  size_t shown = 0, changed = 0;
  systole_comparison_summary(summary, sizeof summary, comparison);
  printf("\n  against %s%s%s: %s\n", against->baseline_path,
         against->baseline.date[0] != '\0' ? " of " : "", against->baseline.date,
         summary);
  for (int fails = 1; fails >= 0; fails--) {
    for (size_t i = 0; i < comparison->count; i++) {
      const systole_change *change = &comparison->list[i];
      if (change->verdict == SYSTOLE_VERDICT_SAME ||
          systole_verdict_fails(change->verdict) != fails) {
        continue;
      }
      changed++;
      if (shown == ShownRows) continue;
      show_change(change);
      shown++;
    }
  }
  if (changed > shown) printf("  and %zu more, in the report\n", changed - shown);
}

int systole_against_code(const systole_against *against) {
  const systole_comparison *comparison = &against->comparison;
  for (size_t i = 0; i < comparison->count; i++) {
    const systole_change *change = &comparison->list[i];
    char before[64], after[64], percent[64];
    if (!systole_verdict_fails(change->verdict)) continue;
    systole_change_figure(before, sizeof before, change, 0);
    systole_change_figure(after, sizeof after, change, 1);
    systole_change_percent(percent, sizeof percent, change);
    const int both = change->has_before && change->has_after;
    return systole_story(
        SYSTOLE_EXIT_WRONG,
        "%zu of %zu runs fail against %s; the first is %s on %s: %s%s%s%s%s%s%s%s",
        comparison->failed, comparison->count, against->baseline_path, change->label,
        change->device, systole_verdict_word(change->verdict), both ? ", " : "",
        both ? before : "", both ? " before and " : "", both ? after : "",
        both ? " now, " : "", percent, change->why[0] != '\0' ? "; see the report" : "");
  }
  return 0;
}

void systole_against_close(systole_against *against) {
  systole_output_discard(against->junit);
  systole_output_discard(against->markdown);
  systole_comparison_free(&against->comparison);
  systole_baseline_free(&against->baseline);
}
