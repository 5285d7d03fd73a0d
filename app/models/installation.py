"""The one row that ties this database to its data folder."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class Installation(Base):
    """The id that the data folder must carry, too. There is one row at most; its `id` is 1."""

    __tablename__ = "installations"

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    identifier: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
