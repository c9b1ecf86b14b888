# Turns the tables in data/ into {name, {line, line, ..., NULL}} constants, so that an installed
# program carries them.
set(systole_data_rows "")
file(GLOB systole_data_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/data/*.csv)
foreach(file IN LISTS systole_data_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  # Whole text: a list of lines would be cut at semicolons and brackets.
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REGEX REPLACE "\n$" "" text "${text}")
  string(REPLACE "\n" "\", \\\n    \"" text "${text}")
  string(APPEND systole_data_rows "  {\"${name}\", { \\\n    \"${text}\", NULL}}, \\\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/generated/systole_report_data.h.new
  "/* Made from the tables in host/report/data by host/report/data.cmake; do not edit. */\n"
  "#define SYSTOLE_REPORT_DATA \\\n${systole_data_rows}\n")
configure_file(${CMAKE_BINARY_DIR}/generated/systole_report_data.h.new
               ${CMAKE_BINARY_DIR}/generated/systole_report_data.h COPYONLY)
