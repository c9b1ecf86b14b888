/* A comparison against an earlier one, and what CI gets of it: JUnit XML, Markdown. */
#include "report/baseline.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/change.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/utf8.h"
#include "story.h"

enum { Runs = 3 };

typedef struct scene {
  systole_result results[Runs];
  systole_report_device devices[2];
  systole_report report;
} scene;

static void set_scene(scene *s) {
  static const char *const devices[Runs] = {"rtl:16", "cpu", "rtl:16"};
  static const char *const labels[Runs] = {"64 x 64 x 64", "64 x 64 x 64", "8 x 8 x 8"};
  memset(s, 0, sizeof *s);
  for (int i = 0; i < Runs; i++) {
    systole_result *r = &s->results[i];
    strcpy(r->device, devices[i]);
    strcpy(r->workload, "gemm");
    strcpy(r->label, labels[i]);
    r->m = r->n = r->k = i < 2 ? 64 : 8;
    r->checked = 1;
    r->checked_by = "cpu";
    r->repeats = 1;
    r->stats.macs = 1000;
    r->stats.wall_s = 1e-3;
    r->stats.seconds = 1e-3;
    r->stats.gops = 100;
    if (i == 1) {
      r->repeats = 9;
      r->wall_low_s = 0.98e-3;
      r->wall_high_s = 1.02e-3;
      continue;
    }
    r->stats.has_cycles = 1;
    r->stats.cycles = 100000;
    r->stats.clock_mhz = 300;
    r->stats.clock_kind = SYSTOLE_KIND_ASSUMED;
    r->stats.memory = "ideal";
  }
  strcpy(s->devices[0].name, "rtl:16");
  strcpy(s->devices[1].name, "cpu");
  s->report = (systole_report){.version = "1.2.3",
                               .command = "systole compare",
                               .workload = "gemm",
                               .title = "products",
                               .date = "2025-01-01T00:00:00Z",
                               .machine = {.cpu = "a CPU", .cores = 2},
                               .devices = s->devices,
                               .device_count = 2,
                               .results = s->results,
                               .result_count = Runs};
}

static char path[] = "/tmp/systole-baseline-XXXXXX";

static void write_text(const char *text, size_t size) {
  strcpy(strrchr(path, '-'), "-XXXXXX");
  const int file = mkstemp(path);
  cr_assert_geq(file, 0);
  cr_assert_eq(write(file, text, size), (ssize_t)size);
  close(file);
}

/* What a scene was becomes the baseline of what it is now. */
static void keep(systole_baseline *out, const scene *s) {
  cJSON *object = systole_report_json(&s->report);
  char *text = cJSON_Print(object);
  write_text(text, strlen(text));
  cr_assert_eq(systole_baseline_open(out, path), 0, "%s", systole_story_text());
  unlink(path);
  cJSON_free(text);
  cJSON_Delete(object);
}

static const systole_tolerance usual = {-1, -1};

static systole_verdict verdict_of(const systole_baseline *baseline, const scene *s,
                                  size_t index, systole_tolerance tolerance) {
  systole_comparison comparison;
  cr_assert_eq(systole_compare_runs(&comparison, baseline, &s->report, tolerance), 0);
  const systole_verdict verdict = comparison.list[index].verdict;
  cr_assert_eq(comparison.failed > 0, systole_verdict_fails(verdict) != 0,
               "only that run differs");
  systole_comparison_free(&comparison);
  return verdict;
}

Test(change, of_one_cycle_is_seen_on_a_simulated_device) {
  systole_baseline baseline;
  scene s;
  set_scene(&s);
  keep(&baseline, &s);
  cr_assert_eq(verdict_of(&baseline, &s, 0, usual), SYSTOLE_VERDICT_SAME);
  s.results[0].stats.cycles = 100001;
  cr_assert_eq(verdict_of(&baseline, &s, 0, usual), SYSTOLE_VERDICT_SLOWER);
  cr_assert_eq(verdict_of(&baseline, &s, 0, (systole_tolerance){0.0005, -1}),
               SYSTOLE_VERDICT_SLOWER);
  cr_assert_eq(verdict_of(&baseline, &s, 0, (systole_tolerance){0.002, -1}),
               SYSTOLE_VERDICT_SAME);
  s.results[0].stats.cycles = 99999;
  cr_assert_eq(verdict_of(&baseline, &s, 0, usual), SYSTOLE_VERDICT_FASTER);
  s.results[0].stats.cycles = 100000;
  s.results[0].stats.wall_s = 1; /* the simulation's speed is not judged */
  cr_assert_eq(verdict_of(&baseline, &s, 0, usual), SYSTOLE_VERDICT_SAME);
  s.results[0].stats.memory = "ddr4";
  cr_assert_eq(verdict_of(&baseline, &s, 0, usual), SYSTOLE_VERDICT_UNLIKE);
  s.results[0].stats.memory = "ideal";
  s.results[0].stats.clock_mhz = 250;
  cr_assert_eq(verdict_of(&baseline, &s, 0, usual), SYSTOLE_VERDICT_UNLIKE);
  s.results[0].stats.clock_mhz = 300;
  s.results[0].mismatches = 1;
  cr_assert_eq(verdict_of(&baseline, &s, 0, usual), SYSTOLE_VERDICT_WRONG);
  systole_baseline_free(&baseline);
}

Test(change, of_a_measured_device_is_held_to_its_quartiles) {
  systole_baseline baseline;
  scene s;
  set_scene(&s);
  keep(&baseline, &s);
  systole_result *cpu = &s.results[1];
  cpu->stats.wall_s = 1.09e-3; /* 10 % are always allowed */
  cr_assert_eq(verdict_of(&baseline, &s, 1, usual), SYSTOLE_VERDICT_SAME);
  cpu->stats.wall_s = 1.2e-3;
  cr_assert_eq(verdict_of(&baseline, &s, 1, usual), SYSTOLE_VERDICT_SLOWER);
  cpu->wall_low_s = 1.0e-3; /* 4 % then and 25 % now */
  cpu->wall_high_s = 1.3e-3;
  cr_assert_eq(verdict_of(&baseline, &s, 1, usual), SYSTOLE_VERDICT_SAME);
  cr_assert_eq(verdict_of(&baseline, &s, 1, (systole_tolerance){-1, 5}),
               SYSTOLE_VERDICT_SLOWER);
  cpu->stats.wall_s = 0.5e-3;
  cpu->wall_low_s = cpu->wall_high_s = 0.5e-3;
  cr_assert_eq(verdict_of(&baseline, &s, 1, usual), SYSTOLE_VERDICT_FASTER);
  cpu->stats.wall_s = 7;
  strcpy(s.report.machine.cpu, "another CPU");
  cr_assert_eq(verdict_of(&baseline, &s, 1, usual), SYSTOLE_VERDICT_ELSEWHERE);
  strcpy(s.report.machine.cpu, "a CPU");
  s.report.machine.cores = 4;
  cr_assert_eq(verdict_of(&baseline, &s, 1, usual), SYSTOLE_VERDICT_ELSEWHERE);
  systole_baseline_free(&baseline);
}

Test(change, names_runs_that_are_new_and_that_are_gone) {
  systole_baseline baseline;
  systole_comparison comparison;
  scene s;
  set_scene(&s);
  keep(&baseline, &s);
  /* The CPU takes no part, one product of the array is another. */
  strcpy(s.results[2].label, "9 x 9 x 9");
  s.results[1] = s.results[2];
  s.report.result_count = 2;
  s.report.device_count = 1;
  cr_assert_eq(systole_compare_runs(&comparison, &baseline, &s.report, usual), 0);
  cr_assert_eq(comparison.verdicts[SYSTOLE_VERDICT_SAME], 1);
  cr_assert_eq(comparison.verdicts[SYSTOLE_VERDICT_NEW], 1);
  cr_assert_eq(comparison.verdicts[SYSTOLE_VERDICT_MISSING], 1);
  cr_assert_eq(comparison.verdicts[SYSTOLE_VERDICT_ABSENT], 1);
  cr_assert_eq(comparison.failed, 1);
  char summary[256];
  systole_comparison_summary(summary, sizeof summary, &comparison);
  cr_assert_str_eq(summary, "1 same, 1 missing, 1 new, 1 not run");
  systole_comparison_free(&comparison);
  /* The same product twice is two runs. */
  s.results[1] = s.results[0];
  cr_assert_eq(systole_compare_runs(&comparison, &baseline, &s.report, usual), 0);
  cr_assert_eq(comparison.verdicts[SYSTOLE_VERDICT_SAME], 1);
  cr_assert_eq(comparison.verdicts[SYSTOLE_VERDICT_NEW], 1);
  systole_comparison_free(&comparison);
  systole_baseline_free(&baseline);
}

Test(baseline, that_is_bad_is_refused_with_a_sentence) {
  static const char good[] =
      "{\"schema\":1,\"tool\":\"systole\",\"workload\":\"gemm\",\"results\":[]}";
  static const struct {
    const char *text, *say;
  } cases[] = {
      {"", "is empty"},
      {"hello", "no JSON"},
      {"{\"schema\":1,\"tool\":\"systole\"", "cut short"},
      {"{\"schema\":1,\"tool\":\"systole\"}}", "no JSON"},
      {"[]", "not a results.json of Systole"},
      {"7", "not a results.json of Systole"},
      {"{\"device\":\"cpu\",\"gops\":7}", "not a results.json of Systole"},
      {"{\"schema\":2,\"tool\":\"systole\"}", "has schema 2"},
      {"{\"schema\":\"1\",\"tool\":\"systole\"}", "has schema \"1\""},
      {"{\"schema\":1,\"tool\":\"systole\"}", "no list 'results'"},
      {"{\"schema\":1,\"tool\":\"systole\",\"results\":[7]}", "result 1 has no 'device'"},
      {"{\"schema\":1,\"tool\":\"systole\",\"results\":[{\"device\":\"d\",\"workload\":"
       "\"w\",\"m\":1,\"n\":1.5,\"k\":1}]}",
       "no whole 'n'"},
      {"{\"schema\":1,\"tool\":\"systole\",\"results\":[{\"device\":\"d\",\"workload\":"
       "\"w\",\"m\":1,\"n\":1,\"k\":1}]}",
       "no 'wall_s'"},
      {"{\"schema\":1,\"tool\":\"systole\",\"results\":[{\"device\":\"d\",\"workload\":"
       "\"w\",\"m\":1,\"n\":1,\"k\":1,\"wall_s\":1,\"cycles\":-4}]}",
       "'cycles' of its result 1"},
  };
  systole_baseline baseline;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    write_text(cases[i].text, strlen(cases[i].text));
    cr_assert_eq(systole_baseline_open(&baseline, path), SYSTOLE_EXIT_USAGE, "%s",
                 cases[i].text);
    cr_assert_not_null(strstr(systole_story_text(), cases[i].say), "%s: %s",
                       cases[i].text, systole_story_text());
    cr_assert_null(baseline.runs);
    unlink(path);
  }
  write_text("{}\0{}", 5);
  cr_assert_eq(systole_baseline_open(&baseline, path), SYSTOLE_EXIT_USAGE);
  unlink(path);
  cr_assert_eq(systole_baseline_open(&baseline, path), SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "No such file"));
  cr_assert_eq(systole_baseline_open(&baseline, "/tmp"), SYSTOLE_EXIT_USAGE);
  cr_assert_eq(systole_baseline_open(&baseline, "/dev/zero"), SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "larger than"));
  write_text(good, strlen(good));
  cr_assert_eq(systole_baseline_open(&baseline, path), 0, "%s", systole_story_text());
  cr_assert_eq(baseline.count, 0);
  unlink(path);
  systole_baseline_free(&baseline);
}

static int run(const char *command, const char *text) {
  char line[256];
  write_text(text, strlen(text));
  snprintf(line, sizeof line, command, path);
  const int status = system(line);
  unlink(path);
  return status;
}

Test(junit, is_xml_whatever_the_names_are) {
  systole_baseline baseline;
  systole_comparison comparison;
  scene s;
  char *data = NULL;
  size_t size = 0;
  set_scene(&s);
  keep(&baseline, &s);
  strcpy(s.results[0].device, "xrt:<a & \"b\">'\xff\x01");
  strcpy(s.results[1].label, "]]> \xc3\xa9 \xed\xa0\x80 \xef\xbf\xbf\n");
  s.results[2].mismatches = 3;
  s.report.command = "systole compare --out <\xfe>";
  cr_assert_eq(systole_compare_runs(&comparison, &baseline, &s.report, usual), 0);
  for (int with = 0; with <= 1; with++) {
    s.report.comparison = with ? &comparison : NULL;
    FILE *file = open_memstream(&data, &size);
    systole_report_junit(file, &s.report);
    fclose(file);
    /* With a baseline: the wrong one, and two that lost their names. */
    cr_assert_not_null(strstr(data, with ? "failures=\"3\"" : "failures=\"1\""));
    cr_assert_not_null(strstr(data, "3 wrong elements"));
    cr_assert_not_null(strstr(data, "xrt:&lt;a &amp; &quot;b&quot;&gt;&apos;"));
    for (const char *at = data; *at != '\0';) {
      const int letter = systole_utf8_letter(at);
      cr_assert_gt(letter, 0, "UTF-8");
      at += letter;
    }
    if (system("command -v xmllint >/dev/null 2>&1") == 0) {
      cr_assert_eq(run("xmllint --noout %s", data), 0, "%s", data);
    }
    free(data);
  }
  systole_comparison_free(&comparison);
  systole_baseline_free(&baseline);
}

Test(markdown, keeps_its_tables_whatever_the_names_are) {
  systole_baseline baseline;
  systole_comparison comparison;
  scene s;
  char *data = NULL;
  size_t size = 0;
  set_scene(&s);
  keep(&baseline, &s);
  s.results[0].stats.cycles = 100007;
  strcpy(s.results[1].device, "a|b`<img>@all\\");
  cr_assert_eq(systole_compare_runs(&comparison, &baseline, &s.report, usual), 0);
  s.report.comparison = &comparison;
  FILE *file = open_memstream(&data, &size);
  systole_report_markdown(file, &s.report);
  fclose(file);
  cr_assert_not_null(strstr(data,
                            "| **slower** | rtl:16 | 64 \u00d7 64 \u00d7 64 | "
                            "100,000 cycles | 100,007 cycles | +0.007 % | 0 % |"),
                     "%s", data);
  cr_assert_not_null(strstr(data, "a\\|b\\`&lt;img\\>&#64;all\\\\"));
  cr_assert_null(strstr(data, "<img"));
  /* Every row of a table has as many bars as the line above it. */
  int bars = 0;
  for (char *line = strtok(data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    int own = 0;
    for (const char *at = line; *at != '\0'; at++) {
      own += *at == '|' && (at == line || at[-1] != '\\');
    }
    if (line[0] == '|' && bars > 0) cr_assert_eq(own, bars, "%s", line);
    bars = line[0] == '|' ? own : 0;
  }
  free(data);
  systole_comparison_free(&comparison);
  systole_baseline_free(&baseline);
}

Test(utf8, takes_letters_and_nothing_else) {
  static const struct {
    const char *text;
    int length;
  } cases[] = {{"a", 1},
               {"\xc3\xa9", 2},
               {"\xe2\x82\xac", 3},
               {"\xf0\x9f\x98\x80", 4},
               {"\x80", 0},
               {"\xc3", 0},
               {"\xc0\x80", 0},
               {"\xe0\x80\x80", 0},
               {"\xed\xa0\x80", 0},
               {"\xf4\x90\x80\x80", 0},
               {"\xf8\x88\x80\x80\x80", 0},
               {"\xe2\x82", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    cr_assert_eq(systole_utf8_letter(cases[i].text), cases[i].length, "%zu", i);
  }
}
