# Writes FOLDER/fast.cpp and FOLDER/slow.cpp, which include the C++ that Verilator generated
# there: what runs every cycle, and construction, waveform set-up and first evaluation. The names
# of the generated files are only known once Verilator has run; these always exist.
# FOLDER/pins.cpp includes the file PINS: written anew with the model, it is compiled anew with
# it, too. (Generated headers are not known to the build tool, and pins that remember the
# model's old layout read its wrong members.)
file(GLOB generated RELATIVE ${FOLDER} ${FOLDER}/Vsystole*.cpp)
list(SORT generated)
set(fast "")
set(slow "")
foreach(file IN LISTS generated)
  if(file MATCHES "__Slow\\.cpp$|__Syms\\.cpp$")
    string(APPEND slow "#include \"${file}\"\n")
  else()
    string(APPEND fast "#include \"${file}\"\n")
  endif()
endforeach()
if(NOT fast)
  message(FATAL_ERROR "Verilator has left no C++ in ${FOLDER}")
endif()
file(WRITE ${FOLDER}/fast.cpp "${fast}")
file(WRITE ${FOLDER}/slow.cpp "${slow}")
file(WRITE ${FOLDER}/pins.cpp "#include \"${PINS}\"\n")
