/* systole devices: every card and engine, usable or not, and why not. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>

#include "options.h"
#include "show.h"
#include "story.h"
#include "subcommands.h"
#include "text.h"

static error_t parse(int key, char *text, struct argp_state *state) {
  systole_common *common = state->input;
  (void)text;
  if (key != 'j') return ARGP_ERR_UNKNOWN;
  common->json = 1;
  return 0;
}

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "One JSON object on standard output, nothing else there", 0},
    {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc = "Lists every device that Systole knows, usable or not, and says why not."};

static cJSON *to_json(const systole_device_info *list, size_t count) {
  cJSON *object = cJSON_CreateObject();
  cJSON *array = cJSON_AddArrayToObject(object, "devices");
  int good = array != NULL;
  for (size_t i = 0; good && i < count; i++) {
    cJSON *entry = cJSON_CreateObject();
    good = entry != NULL && cJSON_AddItemToArray(array, entry) &&
           cJSON_AddStringToObject(entry, "name", list[i].name) != NULL &&
           cJSON_AddStringToObject(entry, "kind", list[i].kind) != NULL &&
           cJSON_AddStringToObject(entry, "about", list[i].about) != NULL &&
           cJSON_AddBoolToObject(entry, "usable", list[i].usable) != NULL &&
           (list[i].usable ||
            cJSON_AddStringToObject(entry, "reason", list[i].reason) != NULL);
  }
  if (!good) {
    cJSON_Delete(object);
    object = NULL;
  }
  return object;
}

static void show(const systole_device_info *list, size_t count) {
  size_t usable = 0;
  for (size_t i = 0; i < count; i++) usable += list[i].usable != 0;
  for (int pass = 1; pass >= 0; pass--) {
    const size_t rows = pass ? usable : count - usable;
    if (rows == 0) continue;
    printf("%s%s%s\n", systole_text_bold(), pass ? "usable here" : "not usable here",
           systole_text_plain());
    for (size_t i = 0; i < count; i++) {
      if ((list[i].usable != 0) != pass) continue;
      printf("  %-18s %-12s %s\n", list[i].name, list[i].kind, list[i].about);
      if (!pass) printf("  %-18s %-12s %s\n", "", "", list[i].reason);
    }
  }
}

int systole_main_devices(int argc, char **argv) {
  systole_common common;
  systole_common_init(&common);
  int code = systole_parse(&parser, "devices", argc, argv, &common, &common);
  if (code != 0) return code;
  systole_device_info *list = NULL;
  size_t count = 0;
  code = systole_story_of(systole_device_list(&list, &count), "cannot list the devices");
  if (code == 0 && common.json) {
    cJSON *object = to_json(list, count);
    code = systole_show_json(object);
    cJSON_Delete(object);
  } else if (code == 0) {
    show(list, count);
  }
  systole_device_list_free(list, count);
  return code;
}
