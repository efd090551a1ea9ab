"""Fine-tunes a ResNet on a folder of labelled pictures: what runs inside a training job.

`__main__` is the job from top to bottom; `entrypoint` is the image's first process. Arrows between the rooms
run one way, each may use those above it:

config, errors, job ...   what to do, what can go wrong, SageMaker's folders
hardware, distributed     what it runs on, and the processes that train together
network                   the ResNet and its starting weights
data                      files, decoded images, feature cache, batches
evaluation                scores, the champion's score, the serving form
training                  the loop, its optimiser, checkpoints and callbacks
debugging, profiling      callbacks that save what rules judge, and the rules
watching                  the session that runs both beside a training
artifact                  what a job leaves

Nothing here knows of the rest of the repository but `contract`. Trials import only torch, Pillow, numpy and
safetensors, because every one of them pays for each import.
"""
