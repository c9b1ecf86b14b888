#include "report/json.h"

#include "report/change.h"

static int add_machine(cJSON *object, const systole_machine *machine) {
  cJSON *entry = cJSON_AddObjectToObject(object, "machine");
  return entry != NULL &&
         (machine->cpu[0] == '\0' ||
          cJSON_AddStringToObject(entry, "cpu", machine->cpu)) &&
         cJSON_AddNumberToObject(entry, "cores", machine->cores) &&
         (machine->memory_bytes == 0 ||
          systole_json_u64(entry, "memory_bytes", machine->memory_bytes)) &&
         (machine->system[0] == '\0' ||
          cJSON_AddStringToObject(entry, "system", machine->system)) &&
         (machine->kernel[0] == '\0' ||
          cJSON_AddStringToObject(entry, "kernel", machine->kernel));
}

static int add_device(cJSON *array, const systole_report_device *device) {
  cJSON *entry = cJSON_CreateObject();
  int good = entry != NULL && cJSON_AddItemToArray(array, entry) &&
             cJSON_AddStringToObject(entry, "name", device->name) &&
             cJSON_AddStringToObject(entry, "kind", device->kind) &&
             cJSON_AddStringToObject(entry, "about", device->about);
  if (good && device->geometry.dim > 0) {
    const systole_geometry *g = &device->geometry;
    cJSON *geometry = cJSON_AddObjectToObject(entry, "geometry");
    good = geometry != NULL && cJSON_AddNumberToObject(geometry, "dim", g->dim) &&
           cJSON_AddNumberToObject(geometry, "axi_bytes", g->axi_bytes) &&
           cJSON_AddNumberToObject(geometry, "weight_ports", g->weight_ports) &&
           cJSON_AddNumberToObject(geometry, "ub_rows", g->ub_rows) &&
           cJSON_AddNumberToObject(geometry, "acc_rows", g->acc_rows) &&
           cJSON_AddNumberToObject(geometry, "weight_tiles", g->weight_tiles) &&
           cJSON_AddNumberToObject(geometry, "features", g->features) &&
           cJSON_AddBoolToObject(geometry, "flat_array", g->flat_array);
  }
  if (good && device->peak_gops > 0) {
    const char *kind = systole_kind_word(device->peak_kind);
    good = cJSON_AddNumberToObject(entry, "peak_gops", device->peak_gops) &&
           (kind == NULL || cJSON_AddStringToObject(entry, "peak_kind", kind));
  }
  if (good && device->bandwidth_gbs > 0) {
    const char *kind = systole_kind_word(device->bandwidth_kind);
    good = cJSON_AddNumberToObject(entry, "bandwidth_gbs", device->bandwidth_gbs) &&
           (kind == NULL || cJSON_AddStringToObject(entry, "bandwidth_kind", kind));
  }
  return good;
}

static int add_cell(cJSON *row, const char *key, const systole_cell *cell) {
  const char *kind = systole_kind_word(cell->kind);
  if (kind == NULL && cell->text == NULL) return 1;
  cJSON *entry = cJSON_AddObjectToObject(row, key);
  int good = entry != NULL;
  if (good && kind != NULL) {
    good = cJSON_AddNumberToObject(entry, "value", cell->value) &&
           (cell->low == cell->high ||
            (cJSON_AddNumberToObject(entry, "low", cell->low) &&
             cJSON_AddNumberToObject(entry, "high", cell->high))) &&
           cJSON_AddStringToObject(entry, "kind", kind);
  } else if (good) {
    good = cJSON_AddStringToObject(entry, "text", cell->text) != NULL;
  }
  if (good && cell->source != NULL) {
    good = cJSON_AddStringToObject(entry, "source", cell->source) != NULL;
  }
  return good;
}

static int add_table(cJSON *array, const systole_table *table) {
  cJSON *entry = cJSON_CreateObject(), *columns = NULL, *rows = NULL;
  int good = entry != NULL && cJSON_AddItemToArray(array, entry) &&
             cJSON_AddStringToObject(entry, "name", systole_table_name(table)) &&
             cJSON_AddStringToObject(entry, "title", systole_table_title(table)) &&
             cJSON_AddStringToObject(entry, "caption", systole_table_caption(table)) &&
             (systole_table_found(table)[0] == '\0' ||
              cJSON_AddStringToObject(entry, "finding", systole_table_found(table))) &&
             (columns = cJSON_AddArrayToObject(entry, "columns")) != NULL &&
             (rows = cJSON_AddArrayToObject(entry, "rows")) != NULL;
  for (size_t c = 0; good && c < systole_table_columns(table); c++) {
    const systole_column *head = systole_table_head(table, c);
    cJSON *column = cJSON_CreateObject();
    good = column != NULL && cJSON_AddItemToArray(columns, column) &&
           cJSON_AddStringToObject(column, "key", head->key) &&
           cJSON_AddStringToObject(column, "title", head->title) &&
           (head->unit[0] == '\0' || cJSON_AddStringToObject(column, "unit", head->unit));
  }
  for (size_t r = 0; good && r < systole_table_rows(table); r++) {
    cJSON *row = cJSON_CreateObject();
    good = row != NULL && cJSON_AddItemToArray(rows, row);
    for (size_t c = 0; good && c < systole_table_columns(table); c++) {
      good = add_cell(row, systole_table_head(table, c)->key,
                      systole_table_cell(table, r, c));
    }
  }
  return good;
}

static int add_tables(cJSON *object, const systole_tables *tables) {
  const size_t count = systole_tables_count(tables);
  cJSON *array = count > 0 ? cJSON_AddArrayToObject(object, "tables") : NULL;
  int good = count == 0 || array != NULL;
  for (size_t i = 0; good && i < count; i++) {
    good = add_table(array, systole_tables_at(tables, i));
  }
  return good;
}

cJSON *systole_report_json(const systole_report *report) {
  cJSON *object = cJSON_CreateObject();
  int good = object != NULL &&
             cJSON_AddNumberToObject(object, "schema", SystoleResultsSchema) &&
             cJSON_AddStringToObject(object, "tool", "systole") &&
             cJSON_AddStringToObject(object, "version", report->version) &&
             cJSON_AddStringToObject(object, "command", report->command) &&
             cJSON_AddStringToObject(object, "date", report->date) &&
             cJSON_AddStringToObject(object, "workload", report->workload) &&
             cJSON_AddStringToObject(object, "title", report->title) &&
             cJSON_AddNumberToObject(object, "wall_s", report->wall_s) &&
             (report->note[0] == '\0' ||
              cJSON_AddStringToObject(object, "note", report->note)) &&
             add_machine(object, &report->machine);
  cJSON *devices = good ? cJSON_AddArrayToObject(object, "devices") : NULL;
  good = devices != NULL;
  for (size_t i = 0; good && i < report->device_count; i++) {
    good = add_device(devices, &report->devices[i]);
  }
  cJSON *results = good ? cJSON_AddArrayToObject(object, "results") : NULL;
  good = results != NULL;
  for (size_t i = 0; good && i < report->result_count; i++) {
    cJSON *entry = systole_result_json(&report->results[i]);
    good = entry != NULL && cJSON_AddItemToArray(results, entry);
  }
  good = good && add_tables(object, report->tables);
  if (good && report->comparison != NULL) {
    cJSON *comparison = systole_comparison_json(report->comparison);
    good = comparison != NULL && cJSON_AddItemToObject(object, "comparison", comparison);
  }
  if (!good) {
    cJSON_Delete(object);
    object = NULL;
  }
  return object;
}
