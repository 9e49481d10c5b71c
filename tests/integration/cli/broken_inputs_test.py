"""Every broken input gets an error that names the file and the fault, with exit code 2 or 3."""

import json
import os
import shutil
import struct
import unittest

from program import CANARY, ProgramTest


class BrokenInputsTest(ProgramTest):
    def run_on(self, model, *more):
        return self.run_program("run", "--model", model, "--tasks", "gsm8k-mini", "-n", "1",
                                "-o", "out", *more)

    def canary_copy(self):
        model = self.path("model")
        shutil.copytree(CANARY, model)
        return model

    def edit_json(self, model, name, change):
        with open(os.path.join(model, name), encoding="utf-8") as file:
            content = json.load(file)
        change(content)
        with open(os.path.join(model, name), "w", encoding="utf-8") as file:
            json.dump(content, file)

    def edit_header(self, model, change):
        """Rewrites the safetensors header, the data untouched."""
        path = os.path.join(model, "model.safetensors")
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
            data = file.read()
        change(header)
        text = json.dumps(header).encode()
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + data)

    def assert_nothing_written(self):
        self.assertFalse(os.path.exists(self.path("out")), "a refused run left a folder behind")

    def test_the_copy_that_the_others_break_works(self):
        self.assert_exit(self.run_on(self.canary_copy(), "--max-tokens", "4"), 0)

    def test_no_such_model(self):
        self.assert_refused(self.run_on("nowhere.gguf"), "nowhere.gguf")
        self.assert_nothing_written()

    def test_a_truncated_gguf(self):
        # Version 3, one tensor that the header promises and the file does not hold.
        name = b"token_embd.weight"
        text = (b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
                + struct.pack("<Q", 20) + b"general.architecture" + struct.pack("<IQ", 8, 5) + b"llama"
                + struct.pack("<Q", len(name)) + name + struct.pack("<IQQIQ", 2, 64, 1000, 0, 0))
        for cut in (len(text), len(text) - 9, 30, 5):
            with open(self.path("cut.gguf"), "wb") as file:
                file.write(text[:cut])
            self.assert_refused(self.run_on("cut.gguf"), "cut.gguf")
        self.assert_nothing_written()

    def test_a_file_that_is_no_model(self):
        with open(self.path("text.gguf"), "w", encoding="utf-8") as file:
            file.write("this is no model\n" * 100)
        self.assert_refused(self.run_on("text.gguf"), "text.gguf")

    def test_a_safetensors_header_that_lies_about_its_size(self):
        model = self.canary_copy()
        path = os.path.join(model, "model.safetensors")
        for length in (1 << 62, (1 << 64) - 1, os.path.getsize(path), 0):
            with open(path, "r+b") as file:
                file.write(struct.pack("<Q", length))
            self.assert_refused(self.run_on(model), "model.safetensors")
        self.assert_nothing_written()

    def test_tensor_data_cut_off(self):
        model = self.canary_copy()
        path = os.path.join(model, "model.safetensors")
        os.truncate(path, os.path.getsize(path) - 1000)
        self.assert_refused(self.run_on(model), "model.safetensors")

    def test_a_missing_shard(self):
        model = self.canary_copy()
        with open(os.path.join(model, "model.safetensors"), "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            names = [n for n in json.loads(file.read(length)) if n != "__metadata__"]
        shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
        os.rename(os.path.join(model, "model.safetensors"), os.path.join(model, shards[0]))
        index = {"metadata": {}, "weight_map": {n: shards[i % 2] for i, n in enumerate(names)}}
        with open(os.path.join(model, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
            json.dump(index, file)
        self.assert_refused(self.run_on(model), shards[1])

    def test_a_tensor_of_the_wrong_shape(self):
        model = self.canary_copy()
        seen = []

        def swap(header):
            for name, tensor in header.items():
                if name.endswith("down_proj.weight"):
                    tensor["shape"].reverse()
                    seen.append(name)
                    return

        self.edit_header(model, swap)
        self.assertTrue(seen)
        self.assert_refused(self.run_on(model), seen[0])

    def test_a_missing_tensor(self):
        model = self.canary_copy()
        self.edit_header(model, lambda h: h.update({"model.nrom.weight": h.pop("model.norm.weight")}))
        self.assert_refused(self.run_on(model), "model.norm.weight")

    def test_an_unknown_architecture(self):
        model = self.canary_copy()
        self.edit_json(model, "config.json", lambda c: c.update(
            model_type="deepmind_v9", architectures=["DeepMindV9ForCausalLM"]))
        self.assert_refused(self.run_on(model), "config.json", "deepmind_v9")

    def test_an_unknown_router_function(self):
        model = self.canary_copy()
        self.edit_json(model, "config.json", lambda c: c.update(scoring_func="tanh"))
        self.assert_refused(self.run_on(model), "config.json", "tanh")

    def test_a_config_that_is_no_json(self):
        model = self.canary_copy()
        with open(os.path.join(model, "config.json"), "w", encoding="utf-8") as file:
            file.write('{"model_type": ')
        self.assert_refused(self.run_on(model), "config.json")

    def test_a_tokenizer_without_merges(self):
        model = self.canary_copy()
        self.edit_json(model, "tokenizer.json", lambda t: t["model"].pop("merges"))
        self.assert_refused(self.run_on(model), "tokenizer.json", "merges")

    def test_a_dataset_line_that_is_no_json(self):
        rows = ['{"question": "1+1?", "answer": "#### 2"}', '{"question": "2+', '{"question": "q"}']
        with open(self.path("gsm8k_test.jsonl"), "w", encoding="utf-8") as file:
            file.write("\n".join(rows) + "\n")
        task = {"name": "broken", "title": "t", "source": "s", "protocol": "p",
                "files": [{"file": "gsm8k_test.jsonl", "reader": "gsm8k"}],
                "prompt": {"form": "chat", "question": "{question}"}, "sampling": {},
                "extraction": {"kind": "flexible-number"}, "grading": "number"}
        with open(self.path("broken.json"), "w", encoding="utf-8") as file:
            json.dump(task, file)
        result = self.run_program("run", "--model", "null", "--tasks", "broken.json",
                                  "--data", self.folder, "-o", "out")
        self.assert_refused(result, "gsm8k_test.jsonl:2", "JSON", codes=(2,))
        self.assert_nothing_written()

    def test_a_task_that_leads_out_of_its_folder(self):
        os.makedirs(self.path("tasks", "data"))
        with open(self.path("secret.jsonl"), "w", encoding="utf-8") as file:
            file.write('{"question": "1+1?", "answer": "#### 2"}\n')
        for name in ("../secret.jsonl", "data/../../secret.jsonl", self.path("secret.jsonl"),
                     "../../../../../../etc/passwd", ""):
            task = {"name": "hostile", "title": "t", "source": "s", "protocol": "p",
                    "files": [{"file": name, "reader": "gsm8k", "url": "https://127.0.0.1:1/x"}],
                    "prompt": {"form": "chat", "question": "{question}"}, "sampling": {},
                    "extraction": {"kind": "flexible-number"}, "grading": "number"}
            with open(self.path("tasks", "hostile.json"), "w", encoding="utf-8") as file:
                json.dump(task, file)
            before = sorted(os.listdir(self.folder))
            for command in (("run", "--model", "null", "--tasks", "tasks/hostile.json", "--data",
                             "tasks/data", "-o", "out"),
                            ("data", "fetch", "tasks/hostile.json", "--data", "tasks/data")):
                result = self.run_program(*command)
                self.assertIn(result.returncode, (2, 3), result.stderr)
                self.assertNotIn("root:", result.stderr)
            self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_an_index_that_leads_out_of_its_folder(self):
        model = self.canary_copy()
        os.rename(os.path.join(model, "model.safetensors"), self.path("outside.safetensors"))
        for name in ("../outside.safetensors", self.path("outside.safetensors"),
                     "../../../../../../etc/passwd"):
            with open(os.path.join(model, "model.safetensors.index.json"), "w",
                      encoding="utf-8") as file:
                json.dump({"weight_map": {"model.embed_tokens.weight": name}}, file)
            self.assert_refused(self.run_on(model), "model.safetensors.index.json: weight_map of",
                                f"names '{name}', which points outside the model's folder", codes=(2,))
        self.assert_nothing_written()

    def test_a_dataset_line_that_is_nested_without_end(self):
        os.mkdir(self.path("data"))
        with open(self.path("data", "gsm8k_test.jsonl"), "w", encoding="utf-8") as file:
            file.write("[" * 5_000_000 + "\n")
        result = self.run_program("run", "--model", "null", "--tasks", "gsm8k", "--data", "data",
                                  "-o", "out")
        self.assertIn(result.returncode, (2, 3), result.stderr)
        self.assert_nothing_written()

    def test_a_run_folder_that_cannot_be_written(self):
        with open(self.path("file"), "w", encoding="utf-8") as file:
            file.write("in the way")
        result = self.run_program("run", "--model", "null", "--tasks", "gsm8k-mini", "-o",
                                  "file/run")
        self.assert_refused(result, "file/run", codes=(3,))

    def test_a_record_that_is_none(self):
        os.mkdir(self.path("run"))
        with open(self.path("run", "run.json"), "w", encoding="utf-8") as file:
            file.write("[]")
        for command in (("report", "run"), ("run", "--resume", "run")):
            self.assert_refused(self.run_program(*command), "run.json", codes=(2,))


if __name__ == "__main__":
    unittest.main()
