/* Help, versions, lists, and what one types by mistake. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "spawn.h"

static const char *const subcommands[] = {"devices", "gemm",   "compare",
                                          "trace",   "replay", "doctor"};
enum { Count = sizeof subcommands / sizeof subcommands[0] };

Test(usage, help_names_every_subcommand) {
  spoken said = spawn(NULL, "--help", NULL);
  cr_assert_eq(said.code, 0);
  cr_assert_str_eq(said.error, "");
  for (int i = 0; i < Count; i++) cr_assert_not_null(strstr(said.out, subcommands[i]));
  spoken_free(&said);
}

Test(usage, every_subcommand_explains_itself) {
  for (int i = 0; i < Count; i++) {
    spoken said = spawn(NULL, subcommands[i], "--help", NULL);
    cr_assert_eq(said.code, 0, "%s", subcommands[i]);
    cr_assert_not_null(strstr(said.out, "Usage: systole "), "%s", said.out);
    cr_assert_not_null(strstr(said.out, "--json"), "%s", subcommands[i]);
    cr_assert_str_eq(said.error, "");
    spoken_free(&said);
  }
}

Test(usage, the_version_is_a_version) {
  spoken said = spawn(NULL, "--version", NULL);
  int major, minor, patch;
  cr_assert_eq(said.code, 0);
  cr_assert_eq(sscanf(said.out, "systole %d.%d.%d", &major, &minor, &patch), 3, "%s",
               said.out);
  spoken_free(&said);
}

Test(usage, mistakes_get_a_sentence_and_exit_code_2) {
  static const char *const cases[][3] = {
      {"frobnicate", NULL, NULL},     {"gem", NULL, NULL},
      {"gemm", "--frobnicate", NULL}, {"gemm", "stray", NULL},
      {"devices", "stray", NULL},     {"compare", NULL, NULL},
      {"trace", NULL, NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    spoken said = spawn(NULL, cases[i][0], cases[i][1], cases[i][2], NULL);
    cr_assert_eq(said.code, 2, "%s: %s", cases[i][0], said.error);
    cr_assert_eq(strncmp(said.error, "systole", 7), 0, "%s", said.error);
    cr_assert_str_eq(said.out, "");
    spoken_free(&said);
  }
  spoken said = spawn(NULL, NULL);
  cr_assert_eq(said.code, 2);
  cr_assert_not_null(strstr(said.error, "a subcommand is needed"));
  spoken_free(&said);
}

Test(usage, devices_are_listed_with_reasons) {
  spoken said = spawn(NULL, "devices", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  const cJSON *list = cJSON_GetObjectItem(object, "devices"), *entry;
  int cpu = 0, array = 0;
  cJSON_ArrayForEach(entry, list) {
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "name"));
    const cJSON *usable = cJSON_GetObjectItem(entry, "usable");
    cr_assert_not_null(name);
    cr_assert_not_null(cJSON_GetStringValue(cJSON_GetObjectItem(entry, "kind")));
    cr_assert(cJSON_IsBool(usable));
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "reason"));
    cr_assert_eq(reason == NULL, cJSON_IsTrue(usable), "%s", name);
    cr_assert(reason == NULL || strlen(reason) > 10, "%s", name);
    if (cJSON_IsTrue(usable)) {
      cpu |= strcmp(name, "cpu") == 0;
#ifdef SYSTOLE_TEST_ARRAY
      array |= strcmp(name, SYSTOLE_TEST_ARRAY) == 0;
#endif
    }
  }
  cr_assert(cpu);
#ifdef SYSTOLE_TEST_ARRAY
  cr_assert(array);
#else
  cr_assert_not(array);
#endif
  cJSON_Delete(object);
  spoken_free(&said);
  said = spawn(NULL, "devices", NULL);
  cr_assert_eq(said.code, 0);
  cr_assert_not_null(strstr(said.out, "usable here"));
  spoken_free(&said);
}

Test(usage, doctor_finds_what_is_missing) {
  spoken said = spawn(NULL, "doctor", "--json", NULL);
  cJSON *object = json_of(&said);
  const int can_run = cJSON_IsTrue(cJSON_GetObjectItem(object, "can_run"));
  cr_assert_eq(said.code, can_run ? 0 : 3, "%s", said.error);
#ifdef SYSTOLE_TEST_ARRAY
  cr_assert(can_run, "%s", said.out);
#else
  cr_assert_not(can_run);
#endif
  cr_assert_gt(cJSON_GetArraySize(cJSON_GetObjectItem(object, "findings")), 5);
  cJSON_Delete(object);
  spoken_free(&said);

  const spawn_options bare = {.path = "/nonexistent"};
  said = spawn(&bare, "doctor", NULL);
  cr_assert_not_null(strstr(said.out, "apt-get install gnuplot-nox"), "%s", said.out);
  spoken_free(&said);
}

Test(usage, a_full_disk_behind_standard_output_is_noticed) {
  static const char *const cases[][2] = {
      {"devices", "--json"}, {"--version", NULL}, {"--help", NULL}};
  const spawn_options full = {.out_file = "/dev/full"};
  for (size_t i = 0; i < 3; i++) {
    spoken said = spawn(&full, cases[i][0], cases[i][1], NULL);
    cr_assert_eq(said.code, 5, "%s: %d %s", cases[i][0], said.code, said.error);
    spoken_free(&said);
  }
}
