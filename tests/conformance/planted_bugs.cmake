# Bugs planted in copies of the kernels, each behind a switch, all in one program: the suite's cases
# named have to fail when a bug is on, and to pass when none is (cuda_planted_bugs_off).
# A line that is no longer in the source is an error here: give the bug another one.

set(kernels ${PROJECT_SOURCE_DIR}/engine/backends/cuda/kernels)
set(planted_folder ${CMAKE_CURRENT_BINARY_DIR}/planted)
set(planted_files "")
set(planted_cases "")
set(planted_number 0)

# plant(NAME FILE CASES RIGHT WRONG): the expression RIGHT becomes WRONG; without WRONG the statement
# RIGHT is left out. CASES may hold the suite's options, too.
function(plant name file cases right wrong)
  math(EXPR number "${planted_number} + 1")
  set(planted_number ${number} PARENT_SCOPE)
  string(MAKE_C_IDENTIFIER ${file} variable)
  if(DEFINED text_of_${variable})
    set(text "${text_of_${variable}}")
  else()
    file(READ ${kernels}/${file} text)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${kernels}/${file})
    set(planted_files ${planted_files} ${file} PARENT_SCOPE)
    set(text "extern \"C\" bool moebench_planted(int bug);\n${text}")
  endif()
  string(FIND "${text}" "${right}" first)
  string(FIND "${text}" "${right}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "planted bug ${name}: ${file} doesn't hold this once: ${right}")
  endif()
  if(wrong STREQUAL "")
    set(either "if (!moebench_planted(${number})) ${right}")
  else()
    set(either "(moebench_planted(${number}) ? (${wrong}) : (${right}))")
  endif()
  string(REPLACE "${right}" "${either}" text "${text}")
  set(text_of_${variable} "${text}" PARENT_SCOPE)
  separate_arguments(cases)
  foreach(case IN LISTS cases)
    if(NOT case MATCHES "^--|cublaslt")
      list(APPEND planted_cases ${case})
    endif()
  endforeach()
  set(planted_cases ${planted_cases} PARENT_SCOPE)
  add_test(NAME cuda_mutant_${name} COMMAND cuda_planted_bugs --planted ${number} --caught ${cases})
endfunction()

# Barriers and waits.
plant(missing_barrier reduce.cuh "rms_norm_77 rms_norm_heads"
      "__syncthreads();\n  value = 0.0f;" "")
plant(missing_barrier_before_sums attention_kernel.cuh "attention_mha_f16_decode"
      "__syncthreads();\n\n        // Sums: a warp" "")
plant(missing_wait_for_copies attention_kernel.cuh "attention_mla_f16_decode"
      "wait_for_copies<0>();" "")
# Off by one.
plant(last_tile rope.cu "rope_halves rope_interleaved"
      "i >= a.n_pairs_total" "i >= a.n_pairs_total - 1")
plant(last_tile_unguarded matmul_kernels.cuh "matmul_q8_0_19x32"
      "min(tile * kTileRows + g + 8, p.n - 1)" "tile * kTileRows + g + 8")
plant(mask attention_kernel.cuh "attention_mha_f16_prefill attention_mla_f16_decode"
      "p <= own" "p < own")
plant(window attention_kernel.cuh "attention_gqa_window_f16_prefill attention_gqa_window_f16_decode"
      "window > 0 && last - window + 1 > 0 ? last - window + 1 : 0"
      "window > 0 && last - window > 0 ? last - window : 0")
plant(entries_miscounted experts.cu "experts_q8_0"
      "(1u << lane) - 1" "(2u << lane) - 1")
# Limits, and one thing for another.
plant(group_limit route.cu "route_grouped_sigmoid_bias route_v2 route_v3"
      "k < o.top_k_groups" "k <= o.top_k_groups")
plant(splits_not_rescaled attention_kernel.cuh "attention_far_decode_f16"
      "__fmaf_rn(sum, m.keep, other * m.add)" "__fmaf_rn(sum, 1.0f, other * m.add)")
plant(experts_of_another_row experts.cu "experts_q8_0"
      "inner.entries_per_row = top_k" "inner.entries_per_row = 1")
plant(slices_of_k matmul_kernels.cuh "matmul_q8_0_deep"
      "units * slice / kSlices" "(units * slice + slice) / (kSlices + 1)")
plant(first_tiles_scale matmul_formats.cuh "matmul_f8_tiles"
      "units * 128 + unit * 4" "units * 128")
# Products by cuBLASLt.
set(by_library "--backend cuda_emulated_cublaslt --rows")
plant(second_plane add_planes.cu "${by_library} matmul_bf16_131x352 matmul_f16_19x77"
      "p < a.count" "p < 1")
plant(planes_apart add_planes.cu "${by_library} matmul_bf16_131x352 matmul_f16_19x77"
      "p * a.plane_stride" "p * a.width")
plant(leading_dimension blas_lt.cpp "${by_library} matmul_bf16_131x352 matmul_f16_19x77"
      "product_width(weight.n)" "weight.n")
plant(algorithm_of_the_batch blas_lt.cpp "${by_library} matmul_bf16_131x352 matmul_bf16_deep"
      "&chosen" "nullptr")

# The sources that see a changed file: copies of changed .cu and .cpp, originals that include a changed header.
set(planted_sources "")
foreach(file IN LISTS planted_files)
  string(MAKE_C_IDENTIFIER ${file} variable)
  set(copy ${planted_folder}/engine/backends/cuda/kernels/${file})
  file(CONFIGURE OUTPUT ${copy} CONTENT "${text_of_${variable}}" @ONLY)
  if(file MATCHES "[.](cu|cpp)$")
    list(APPEND planted_sources ${copy})
  endif()
endforeach()
foreach(source attention.cu product_f8.cu product_q8_0.cu rms_norm.cu)
  list(APPEND planted_sources ${kernels}/${source})
endforeach()
set_source_files_properties(${planted_sources} PROPERTIES LANGUAGE CXX)
set_source_files_properties(${planted_folder}/engine/backends/cuda/kernels/blas_lt.cpp PROPERTIES
  COMPILE_OPTIONS -fno-sanitize=thread)  # host code

# An object library of their own: first on the linker's line, so that inline functions are theirs.
add_library(cuda_planted_kernels OBJECT ${planted_sources})
target_include_directories(cuda_planted_kernels BEFORE PRIVATE ${planted_folder})
target_link_libraries(cuda_planted_kernels PRIVATE moebench_cuda_emulation moebench_tensor)
target_compile_options(cuda_planted_kernels PRIVATE
  -fsanitize=thread -O1 -Wno-unknown-pragmas)
add_executable(cuda_planted_bugs
  $<TARGET_OBJECTS:cuda_planted_kernels>
  suite_main.cpp planted.cpp cuda_emulated_backends.cpp op_cases.cpp
  "$<FILTER:$<TARGET_OBJECTS:moebench_cuda_kernels_emulated>,EXCLUDE,/(add_planes|attention|experts|product_f8|product_q8_0|rms_norm|rope|route)[.]cu[.]o$>"
  "$<FILTER:$<TARGET_OBJECTS:moebench_cuda_host_emulated>,EXCLUDE,/blas_lt[.]cpp[.]o$>")
target_link_libraries(cuda_planted_bugs PRIVATE moebench_cuda_emulated_blas moebench_tensor
                      moebench_backend_rules moebench_backend_reference)
list(REMOVE_DUPLICATES planted_cases)
add_test(NAME cuda_planted_bugs_off COMMAND cuda_planted_bugs --planted 0 ${planted_cases})
