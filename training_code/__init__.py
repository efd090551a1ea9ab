"""Fine-tunes a ResNet on a folder of labelled pictures: what runs inside a training job.

`__main__` is the job from top to bottom. `config`, `job` and `machine` say what to do, where and on what;
`pictures`, `data` and `batches` lead from files to tensors; `resnet`, `weights` and `model` make the network;
`optimizer`, `loop`, `progress`, `evaluation` and `checkpoints` train it, with an `observer`
looking on; `artifact` and `record` write down what came out, and `reports` draws the record. Nothing here
knows of the rest of the repository but this and `contract`. Only torch, Pillow, numpy and safetensors
are imported, because every trial of a tuning run pays for each import.
"""
